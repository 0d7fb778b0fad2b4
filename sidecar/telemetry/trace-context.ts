import { type FieldList, fieldValue } from '../protocol/head.ts';

/** A new request id: a UUID of version 4 in production (`node:crypto`'s `randomUUID`). */
export type NewRequestId = () => string;

/**
 * The volatile fields with an `x-request-id`: the same list when the caller sent one that is not empty, else a new one with an id from `newId`.
 *
 * `traceparent`, `tracestate`, `b3` and `x-b3-*` are volatile fields as well and pass through unchanged. The mesh starts no traces and adds
 * no spans, so it leaves them alone: W3C Trace Context §3.2 lets an intermediary that does not take part forward them as they are.
 */
export const ensureRequestId = (volatile: FieldList, newId: NewRequestId): FieldList => {
  const present = fieldValue(volatile, 'x-request-id');
  if (present === undefined) return [...volatile, 'x-request-id', newId()];
  return present === '' ? ensureRequestId(without(volatile, 'x-request-id'), newId) : volatile;
};

const without = (list: FieldList, name: string): FieldList => list.filter((_, at) => list[at - (at % 2)] !== name);
