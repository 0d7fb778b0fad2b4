import type { FieldList, Fields, LinkInfo, RequestHead, ResponseHead } from '../head.ts';
import { encodeFields, fieldBytes, writeVolatileField } from './hpack/encoder.ts';

/**
 * Heads as HPACK blocks. Nothing is ever inserted into the dynamic table, so the same head gives the same bytes on every connection;
 * they are made once and kept on the interned head. Stable fields first, volatile ones last (`docs/life-of-a-request.md`).
 */

const EMPTY = Buffer.alloc(0);

const fieldsBlock = (fields: Fields): Buffer => {
  fields.hpackBlock ??= encodeFields(fields.list);
  return fields.hpackBlock;
};

const shapeBlock = (fields: Fields): Buffer => {
  fields.hpackShape ??= fields.http1Shape === '' ? EMPTY : encodeFields(['outrider-h1', fields.http1Shape]);
  return fields.hpackShape;
};

const linkBlock = (link: LinkInfo): Buffer => {
  if (link.hpackBlock === undefined) {
    const list: string[] = [];
    if (link.to !== '') list.push('outrider-to', link.to);
    if (link.port !== 0) list.push('outrider-port', String(link.port));
    if (link.route !== '') list.push('outrider-route', link.route);
    if (link.thrift !== '') list.push('outrider-thrift', link.thrift);
    link.hpackBlock = encodeFields(list);
  }
  return link.hpackBlock;
};

const pseudoFields = (head: RequestHead): FieldList => {
  if (head.method === 'CONNECT') return [':method', 'CONNECT', ':authority', head.authority];
  const list = [':method', head.protocol === '' ? head.method : 'CONNECT', ':scheme', head.scheme, ':path', head.path];
  if (head.authority !== '') list.push(':authority', head.authority);
  if (head.protocol !== '') list.push(':protocol', head.protocol);
  return list;
};

/** The block of a request; with the link's own fields when `head.link` is set. */
export const requestBlock = (head: RequestHead): Buffer => {
  if (head.hpackBlock === undefined) {
    const parts = [encodeFields(pseudoFields(head)), fieldsBlock(head.fields)];
    if (head.link !== undefined) parts.push(linkBlock(head.link), shapeBlock(head.fields));
    head.hpackBlock = Buffer.concat(parts);
  }
  return head.hpackBlock;
};

/** The block of a response; an accepted Upgrade (101) is a 200 on HTTP/2 (RFC 8441 §5). `link`: to another sidecar. */
export const responseBlock = (head: ResponseHead, link: boolean): Buffer => {
  if (head.hpackBlock === undefined) {
    const status = encodeFields([':status', head.status === 101 ? '200' : String(head.status)]);
    const parts = [status, fieldsBlock(head.fields)];
    if (link) parts.push(shapeBlock(head.fields));
    head.hpackBlock = Buffer.concat(parts);
  }
  return head.hpackBlock;
};

/** An upper bound for `encodeVolatile`. */
export const volatileBytes = (volatile: FieldList): number => {
  let bytes = 0;
  for (let i = 0; i < volatile.length; i += 2) bytes += fieldBytes(volatile[i] as string, volatile[i + 1] as string);
  return bytes;
};

/** Writes volatile fields (or trailers) as never-indexed literals at `at`; the position behind them. */
export const encodeVolatile = (out: Buffer, at: number, volatile: FieldList): number => {
  let pos = at;
  for (let i = 0; i < volatile.length; i += 2)
    pos = writeVolatileField(out, pos, volatile[i] as string, volatile[i + 1] as string);
  return pos;
};
