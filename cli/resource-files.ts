/** Resources from files, folders and standard input. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { KINDS, kindOf } from '../api/kinds.ts';
import type { ApiObject } from '../api/object.ts';
import { DocumentError, parseYaml } from '../api/parse-document.ts';
import type { ResourceKind } from '../api/resource-kind.ts';
import { Failure } from './failure.ts';

export interface FileResource {
  readonly kind: ResourceKind;
  readonly object: ApiObject;
  /** Where it stands, for messages: `web.yaml: document 2`. */
  readonly place: string;
}

/** All resources of these files, what others refer to first. @throws Failure */
export const readResources = (paths: readonly string[]): FileResource[] =>
  paths
    .flatMap(path => filesOf(path))
    .flatMap(readFile)
    .toSorted((a, b) => KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind));

/** A folder's own `.yaml`, `.yml` and `.json` files, by name. */
const filesOf = (path: string): string[] => {
  if (path === '-') return [path];
  try {
    if (!statSync(path).isDirectory()) return [path];
  } catch (error) {
    throw new Failure(`cannot read ${path}: ${(error as Error).message}`);
  }
  const files = readdirSync(path).filter(name => /\.(ya?ml|json)$/.test(name));
  if (files.length === 0) throw new Failure(`${path} has no .yaml, .yml or .json file`);
  return files.toSorted().map(name => join(path, name));
};

const readFile = (path: string): FileResource[] => {
  const shown = path === '-' ? 'standard input' : path;
  let documents: readonly unknown[];
  try {
    documents = parseYaml(readFileSync(path === '-' ? 0 : path, 'utf8'));
  } catch (error) {
    throw new Failure(
      error instanceof DocumentError
        ? `${shown}: ${error.message}`
        : `cannot read ${shown}: ${(error as Error).message}`,
    );
  }
  return documents.flatMap((document, i) =>
    resourcesOf(document, documents.length > 1 ? `${shown}: document ${i + 1}` : shown),
  );
};

const resourcesOf = (document: unknown, place: string): FileResource[] => {
  const {
    apiVersion,
    kind: name,
    items,
    metadata,
  } = (typeof document === 'object' && document !== null ? document : {}) as Record<string, unknown>;
  if (name === 'List' && apiVersion === 'v1' && Array.isArray(items))
    return items.flatMap((item, i) => resourcesOf(item, `${place}: items[${i}]`));
  const kind = kindOf(String(apiVersion), String(name));
  if (kind === undefined)
    throw new Failure(
      `${place}: apiVersion and kind must be of a known kind, not ${JSON.stringify(apiVersion)} ${JSON.stringify(name)}; the kinds are ${KINDS.map(each => each.kind).join(', ')}`,
    );
  if (typeof metadata !== 'object' || metadata === null || typeof (metadata as { name?: unknown }).name !== 'string')
    throw new Failure(`${place}: metadata.name: must be set`);
  return [{ kind, object: document as ApiObject, place }];
};
