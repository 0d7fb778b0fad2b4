import { isGrpc } from '../errors/respond-to-error.ts';
import type { RequestHead } from '../protocol/head.ts';
import { callName } from '../protocol/thrift/call-heads.ts';
import { pathOf } from './match-route.ts';

/** A Thrift call: only our own codec and other sidecars can say so. */
export const isThrift = (head: RequestHead): boolean => head.link !== undefined && head.link.thrift !== '';

/** What a head says of its RPC system. `declared`: the port's protocol, or ''. `method` is '' for plain HTTP. */
export const rpcLabels = (
  head: RequestHead,
  declared: string,
): { readonly request_protocol: string; readonly method: string } => {
  if (head.method === 'CONNECT') return { request_protocol: declared === 'thrift' ? declared : 'tcp', method: '' };
  if (isThrift(head)) return { request_protocol: 'thrift', method: callName(head.path) };
  if (isGrpc(head)) return { request_protocol: 'grpc', method: pathOf(head).slice(1) };
  if (head.rpcMethod !== undefined) return { request_protocol: 'hessian', method: head.rpcMethod };
  return { request_protocol: declared === 'hessian' ? declared : 'http', method: '' };
};
