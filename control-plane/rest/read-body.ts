/** The body of a request: bytes and a content type to a plain value. */

import { checkShape, DocumentError, parseJson, parseYaml } from '../../api/parse-document.ts';
import { readKubernetesProtobuf } from './kubernetes-protobuf.ts';
import { ApiError } from './status.ts';

/** As large as the Kubernetes API allows: 3 MiB. */
export const MAX_BODY_BYTES = 3 * 1024 * 1024;

const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf';

const YAML_TYPES = ['application/yaml', 'application/x-yaml', 'text/yaml', 'text/x-yaml'];

/** `application/json; charset=utf-8` without its parameters, in lower case. */
export const mediaType = (contentType: string | undefined): string =>
  contentType?.split(';')[0]?.trim().toLowerCase() ?? '';

const decode = (body: unknown): string => {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(body instanceof Uint8Array ? body : new Uint8Array());
  } catch {
    throw new DocumentError('the body must be UTF-8');
  }
};

/** @throws DocumentError */
export const parseBody = (body: unknown, type: string): unknown => {
  const text = decode(body);
  if (!YAML_TYPES.includes(type) && !type.endsWith('+yaml')) return parseJson(text);
  const documents = parseYaml(text);
  if (documents.length !== 1)
    throw new DocumentError(`the body must be one YAML document, not ${documents.length}; send one request for each`);
  return documents[0];
};

/** An object in JSON or YAML, or in protobuf as kubectl sends the core kinds. @throws DocumentError, ApiError */
export const readObject = (body: unknown, contentType: string | undefined): object => {
  const type = mediaType(contentType);
  if (type === PROTOBUF_TYPE && Buffer.isBuffer(body)) {
    const object = readKubernetesProtobuf(body);
    checkShape(object);
    return object;
  }
  if (type !== '' && type !== 'application/json' && !YAML_TYPES.includes(type))
    throw new ApiError(
      'UnsupportedMediaType',
      `the Content-Type must be application/json or application/yaml, not ${type}`,
    );
  const value = parseBody(body, type);
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DocumentError('the body must be one object');
  return value;
};

/** DeleteOptions: optional, and only what has a meaning here. */
export const readDeleteOptions = (
  body: unknown,
  contentType: string | undefined,
): { readonly uid?: string | undefined; readonly resourceVersion?: string | undefined; readonly dryRun: boolean } => {
  if (!(body instanceof Uint8Array) || body.length === 0) return { dryRun: false };
  const { preconditions, dryRun } = readObject(body, contentType) as {
    preconditions?: { uid?: unknown; resourceVersion?: unknown };
    dryRun?: unknown;
  };
  const text = (value: unknown) => (typeof value === 'string' ? value : undefined);
  return {
    uid: text(preconditions?.uid),
    resourceVersion: text(preconditions?.resourceVersion),
    dryRun: Array.isArray(dryRun) && dryRun.includes('All'),
  };
};
