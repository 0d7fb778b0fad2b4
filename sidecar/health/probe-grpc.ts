import { once } from 'node:events';
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import type { ProbeView } from '../../api/snapshot.ts';
import { type Address, formatAddress } from '../config.ts';
import { decodeHealthResponse, encodeHealthRequest } from './health-message.ts';
import type { Probe, ProbeResult } from './probe.ts';
import { probeFailure } from './probe-failure.ts';
import { USER_AGENT } from './probe-http.ts';

/** Longer than any answer. */
const MAX_ANSWER_BYTES = 1_024;

/** Healthy is who answers `grpc.health.v1.Health/Check` with SERVING. Kubernetes: grpc; Envoy: grpc_health_check. */
export const probeGrpc = ({ service }: Extract<ProbeView, { kind: 'grpc' }>, address: Address): Probe => {
  const origin = `http://${formatAddress(address)}`;
  const request = encodeHealthRequest(service);
  return async signal => {
    let session: ClientHttp2Session | undefined;
    try {
      const { connect } = await import('node:http2');
      session = connect(origin);
      const failed = once(session, 'error', { signal }).then(([error]) => probeFailure(error));
      failed.catch(() => {});
      const stream = session.request({
        ':method': 'POST',
        ':path': '/grpc.health.v1.Health/Check',
        'content-type': 'application/grpc',
        te: 'trailers',
        'user-agent': USER_AGENT,
      });
      return await Promise.race([answer(stream.end(request), signal), failed]);
    } catch (error) {
      return probeFailure(error);
    } finally {
      session?.destroy();
    }
  };
};

const answer = async (stream: ClientHttp2Stream, signal: AbortSignal): Promise<ProbeResult> => {
  let trailers: IncomingHttpHeaders = {};
  stream.once('trailers', fields => {
    trailers = fields;
  });
  const [head] = (await once(stream, 'response', { signal })) as [IncomingHttpHeaders];
  const body: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    bytes += (chunk as Buffer).length;
    if (bytes > MAX_ANSWER_BYTES) return { ok: false, cause: 'the answer is no answer to a health check' };
    body.push(chunk as Buffer);
  }
  const httpStatus = Number(head[':status']);
  if (httpStatus !== 200) return { ok: false, cause: `status ${httpStatus}` };
  const grpcStatus = String(trailers['grpc-status'] ?? head['grpc-status'] ?? 'missing');
  if (grpcStatus !== '0') return { ok: false, cause: `grpc-status ${grpcStatus}` };
  const status = decodeHealthResponse(Buffer.concat(body));
  return status === undefined
    ? { ok: false, cause: 'the answer is no answer to a health check' }
    : { ok: status === 'SERVING', cause: status };
};
