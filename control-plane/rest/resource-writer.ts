/** What a write request does, from its body to the stored object. */

import { type Admission, Admitter, objectSchema, type UnknownFields } from '../../api/admission.ts';
import { DEFAULT_NAMESPACE, NAMESPACE, SYSTEM_NAMESPACE } from '../../api/namespace.ts';
import type { ApiObject, Stored } from '../../api/object.ts';
import { checkShape } from '../../api/parse-document.ts';
import { apiVersionOf, qualifiedName, type ResourceKind } from '../../api/resource-kind.ts';
import type { Clock } from '../../common/clock.ts';
import type { Random } from '../../common/random.ts';
import { createdObject, sameObject, updatedObject, withStatus } from '../store/next-object.ts';
import { type Preconditions, type ResourceStore, StoreError } from '../store/resource-store.ts';
import { applyJsonPatch } from './json-patch.ts';
import { applyMergePatch, applyStrategicPatch } from './merge-patch.ts';
import { ApiError, invalid, notFound } from './status.ts';

export interface WriteOptions {
  /** Everything is checked, nothing is stored. */
  readonly dryRun: boolean;
  readonly unknownFields: UnknownFields;
}

/** Whose fields a replace or patch is about. */
export type Part = 'object' | 'status';

export interface Written {
  readonly object: Stored;
  readonly warnings: readonly string[];
}

export type PatchType = 'json' | 'merge' | 'strategic';

interface Target {
  readonly kind: ResourceKind;
  /** '' for cluster-scoped kinds. */
  readonly namespace: string;
  readonly name: string;
}

/** Times that a patch is made anew because somebody wrote in between. */
const PATCH_ATTEMPTS = 5;

/** Owned by the REST server. */
export class ResourceWriter {
  readonly #store: ResourceStore;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #admitter = new Admitter();

  constructor(store: ResourceStore, clock: Clock, random: Random) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random;
  }

  async create(kind: ResourceKind, namespace: string, body: object, options: WriteOptions): Promise<Written> {
    const named = this.#generateName(asObject(kind, body));
    const name = named.metadata.name;
    const { object, warnings } = this.#admit({ kind, namespace, name }, named, options);
    const created = { ...object, status: kind.initialStatus };
    if (!options.dryRun) return { object: await this.#store.create(kind, created), warnings };
    if (kind.namespaced && (await this.#store.get(NAMESPACE, '', namespace)) === undefined)
      throw notFound(NAMESPACE, namespace);
    if ((await this.#store.get(kind, namespace, name)) !== undefined)
      throw new ApiError('AlreadyExists', `${qualifiedName(kind)} "${name}" already exists`);
    return { object: createdObject(kind, created, '', this.#clock.wallMs()), warnings };
  }

  async replace(target: Target, part: Part, body: object, options: WriteOptions): Promise<Written> {
    const { object, warnings } = this.#admit(target, asObject(target.kind, body), options);
    return { object: await this.#update(target, part, object, options), warnings };
  }

  async patch(target: Target, part: Part, type: PatchType, patch: unknown, options: WriteOptions): Promise<Written> {
    for (let attempt = 1; ; attempt++) {
      const present = await this.#expect(target);
      const patched = applyPatch(type, present, patch, target.kind);
      checkShape(patched);
      const candidate = asObject(target.kind, patched);
      const { object, warnings } = this.#admit(target, candidate, options);
      try {
        return { object: await this.#update(target, part, object, options), warnings };
      } catch (error) {
        const raced = error instanceof StoreError && error.code === 'conflict' && attempt < PATCH_ATTEMPTS;
        if (!raced || candidate.metadata.resourceVersion !== present.metadata.resourceVersion) throw error;
      }
    }
  }

  async remove(target: Target, preconditions: Preconditions, dryRun: boolean): Promise<Stored> {
    const { kind, namespace, name } = target;
    if (qualifiedName(kind) === 'namespaces' && (name === DEFAULT_NAMESPACE || name === SYSTEM_NAMESPACE))
      throw new ApiError('Forbidden', `namespaces "${name}" is forbidden: this namespace may not be deleted`);
    return dryRun ? this.#expect(target) : this.#store.delete(kind, namespace, name, preconditions);
  }

  #generateName(object: ApiObject): ApiObject {
    const { generateName, ...metadata } = object.metadata as ApiObject['metadata'] & {
      readonly generateName?: unknown;
    };
    if (metadata.name !== undefined || typeof generateName !== 'string') return object;
    const letters = 'bcdfghjklmnpqrstvwxz2456789';
    let name = generateName;
    for (let i = 0; i < 5; i++) name += letters[Math.floor(this.#random() * letters.length)];
    return { ...object, metadata: { ...metadata, name } };
  }

  /** @throws ApiError with every wrong field. */
  #admit({ kind, namespace, name }: Target, input: ApiObject, options: WriteOptions): Admission {
    const { metadata } = input;
    if (kind.namespaced && metadata.namespace !== undefined && metadata.namespace !== namespace)
      throw new ApiError(
        'BadRequest',
        `metadata.namespace: must be "${namespace}" as in the path, not ${JSON.stringify(metadata.namespace)}`,
      );
    if (metadata.name !== undefined && metadata.name !== name)
      throw new ApiError(
        'BadRequest',
        `metadata.name: must be "${name}" as in the path, not ${JSON.stringify(metadata.name)}`,
      );
    const { namespace: _, ...rest } = metadata;
    const placed = { ...input, metadata: kind.namespaced ? { ...rest, namespace } : rest };
    const admission = this.#admitter.admit(kind, placed, options.unknownFields);
    if (admission.causes.length > 0) throw invalid(kind, name ?? '', admission.causes);
    return admission;
  }

  async #update(target: Target, part: Part, object: ApiObject, { dryRun }: WriteOptions): Promise<Stored> {
    const { kind, namespace, name } = target;
    const { resourceVersion } = object.metadata;
    if (!dryRun)
      return part === 'status'
        ? this.#store.updateStatus(kind, namespace, name, object.status, resourceVersion)
        : this.#store.update(kind, object);
    const present = await this.#expect(target);
    if (resourceVersion !== undefined && resourceVersion !== present.metadata.resourceVersion)
      throw new StoreError(
        'conflict',
        `the object has been modified: it is at resourceVersion ${present.metadata.resourceVersion}`,
      );
    const version = present.metadata.resourceVersion;
    const next =
      part === 'status'
        ? withStatus(kind, present, object.status, version)
        : updatedObject(kind, present, object, version);
    return sameObject(next, present) ? present : next;
  }

  async #expect({ kind, namespace, name }: Target): Promise<Stored> {
    const present = await this.#store.get(kind, namespace, name);
    if (present === undefined) throw notFound(kind, name);
    return present;
  }
}

/** The body as an object of this kind: apiVersion and kind may be absent, metadata may not be something else than an object. */
const asObject = (kind: ResourceKind, body: object): ApiObject => {
  const { apiVersion = apiVersionOf(kind), kind: name = kind.kind, metadata = {} } = body as Partial<ApiObject>;
  if (apiVersion !== apiVersionOf(kind) || name !== kind.kind)
    throw new ApiError(
      'BadRequest',
      `this path takes ${apiVersionOf(kind)} ${kind.kind}, the body is ${JSON.stringify(apiVersion)} ${JSON.stringify(name)}`,
    );
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
    throw new ApiError('BadRequest', 'metadata: must be an object with a name');
  return { ...body, apiVersion, kind: name, metadata: metadata as ApiObject['metadata'] };
};

const applyPatch = (type: PatchType, present: Stored, patch: unknown, kind: ResourceKind): object => {
  if (type === 'json') return applyJsonPatch(present, patch);
  if (typeof patch !== 'object' || patch === null || Array.isArray(patch))
    throw new ApiError('BadRequest', 'the patch must be an object');
  const patched =
    type === 'merge' ? applyMergePatch(present, patch) : applyStrategicPatch(present, patch, objectSchema(kind));
  if (typeof patched !== 'object' || patched === null)
    throw new ApiError('BadRequest', 'the patch must leave an object');
  return patched;
};
