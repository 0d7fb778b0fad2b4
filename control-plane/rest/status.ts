/** `Status`: how the API says what went wrong. Kubernetes meta/v1 Status. */

import { DocumentError } from '../../api/parse-document.ts';
import { type Cause, qualifiedName, type ResourceKind } from '../../api/resource-kind.ts';
import { StoreError } from '../store/resource-store.ts';

/** Kubernetes StatusReason, to its HTTP status. */
const CODES = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  InternalError: 500,
  ServiceUnavailable: 503,
} as const;

export type StatusReason = keyof typeof CODES;

export interface StatusDetails {
  readonly name?: string;
  readonly group?: string;
  /** The plural where the request was about a kind's path, the kind itself for invalid objects: as Kubernetes does. */
  readonly kind?: string;
  readonly uid?: string;
  readonly causes?: readonly Cause[];
}

export interface Status {
  readonly kind: 'Status';
  readonly apiVersion: 'v1';
  readonly metadata: Record<string, never>;
  readonly status: 'Success' | 'Failure';
  readonly message?: string;
  readonly reason?: StatusReason;
  readonly details?: StatusDetails;
  readonly code: number;
}

/** A request that fails: thrown anywhere below a route, answered as its status. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: Status;

  constructor(reason: StatusReason, message: string, details?: StatusDetails) {
    super(message);
    this.status = {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message,
      reason,
      ...(details === undefined ? {} : { details }),
      code: CODES[reason],
    };
  }
}

export const success = (kind: ResourceKind, name: string, uid: string): Status => ({
  kind: 'Status',
  apiVersion: 'v1',
  metadata: {},
  status: 'Success',
  details: { name, group: kind.group, kind: kind.plural, uid },
  code: 200,
});

/** An object with wrong fields: 422, each field a cause. */
export const invalid = (kind: ResourceKind, name: string, causes: readonly Cause[]): ApiError => {
  const sentences = causes.map(({ field, message }) => `${field}: ${message}`);
  const list = sentences.length === 1 ? sentences[0] : `[${sentences.join(', ')}]`;
  return new ApiError('Invalid', `${qualifiedName(kind)} "${name}" is invalid: ${list}`, {
    name,
    group: kind.group,
    kind: kind.kind,
    causes,
  });
};

export const notFound = (kind: ResourceKind, name: string): ApiError =>
  new ApiError('NotFound', `${qualifiedName(kind)} "${name}" not found`, {
    name,
    group: kind.group,
    kind: kind.plural,
  });

const STORE_REASONS = {
  'not-found': 'NotFound',
  'already-exists': 'AlreadyExists',
  conflict: 'Conflict',
  expired: 'Expired',
  unavailable: 'ServiceUnavailable',
} as const;

/** What to answer for anything that was thrown. */
export const statusOf = (error: unknown): Status => {
  if (error instanceof ApiError) return error.status;
  if (error instanceof StoreError) return new ApiError(STORE_REASONS[error.code], error.message).status;
  if (error instanceof DocumentError) return new ApiError('BadRequest', error.message).status;
  const { code } = error as { code?: unknown };
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE')
    return new ApiError('RequestEntityTooLarge', 'the body is larger than 3 MiB; write less per request').status;
  if (typeof code === 'string' && code.startsWith('FST_ERR_'))
    return new ApiError('BadRequest', (error as Error).message).status;
  return new ApiError('InternalError', 'the control plane failed to answer; its log says why').status;
};
