/** The positive control: before anything is measured, one request must reach the app and bring back its exact answer. */
import { connect } from 'node:http2';
import { connect as connectTcp } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { type RunningApp, SMALL_BODY } from '../apps/app.ts';
import { GRPC_MESSAGE, GRPC_PATH } from '../apps/grpc-message.ts';
import { readThriftFrames, thriftCall, thriftReply } from '../apps/thrift-message.ts';
import type { AppProtocol } from '../peers/peer.ts';

interface Answer {
  /** What is wrong with its status, or undefined. */
  readonly fault: string | undefined;
  readonly body: Buffer;
}

const TIMEOUT_MS = 10_000;

const askHttp1 = async (port: number): Promise<Answer> => {
  const answer = await fetch(`http://127.0.0.1:${port}/`, {
    signal: AbortSignal.timeout(TIMEOUT_MS),
    headers: { connection: 'close' },
  });
  const body = Buffer.from(await answer.arrayBuffer());
  return {
    fault: answer.status === 200 ? undefined : `status ${answer.status}: ${body.toString().slice(0, 200)}`,
    body,
  };
};

const askHttp2 = (port: number, grpc: boolean): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const session = connect(`http://127.0.0.1:${port}`);
    const fail = (error: Error): void => {
      session.destroy();
      reject(error);
    };
    session.on('error', fail);
    session.setTimeout(TIMEOUT_MS, () => fail(new Error(`no answer within ${TIMEOUT_MS / 1_000} s`)));
    const head = grpc
      ? { ':method': 'POST', ':path': GRPC_PATH, 'content-type': 'application/grpc', te: 'trailers' }
      : {};
    const stream = session.request(head);
    const chunks: Buffer[] = [];
    let status: number | undefined;
    let grpcStatus: unknown;
    stream.on('response', fields => {
      status = fields[':status'];
      grpcStatus = fields['grpc-status'];
    });
    stream.on('trailers', fields => {
      grpcStatus = fields['grpc-status'];
    });
    stream.on('data', (chunk: Buffer) => chunks.push(chunk));
    stream.on('error', fail);
    stream.on('end', () => {
      session.close();
      const body = Buffer.concat(chunks);
      const good = status === 200 && (!grpc || grpcStatus === '0');
      resolve({
        fault: good
          ? undefined
          : `status ${status}${grpc ? `, grpc-status ${String(grpcStatus)}` : ''}: ${body.toString().slice(0, 200)}`,
        body,
      });
    });
    stream.end(grpc ? GRPC_MESSAGE : undefined);
  });

const CONTROL_SEQUENCE = 1;

const askThrift = (port: number): Promise<Answer> =>
  new Promise((resolve, reject) => {
    const socket = connectTcp(port, '127.0.0.1');
    let received = Buffer.alloc(0);
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error(`no answer within ${TIMEOUT_MS / 1_000} s`)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error('the connection was closed instead of an answer')));
    socket.on('data', (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      readThriftFrames(received, body => {
        resolve({ fault: undefined, body });
        socket.destroy();
      });
    });
    socket.write(thriftCall(CONTROL_SEQUENCE));
  });

const EXPECTED: Readonly<Record<AppProtocol, Buffer>> = {
  http1: Buffer.from(SMALL_BODY),
  http2: Buffer.from(SMALL_BODY),
  grpc: GRPC_MESSAGE,
  thrift: thriftReply(CONTROL_SEQUENCE),
};

const ask = async (protocol: AppProtocol, port: number): Promise<Answer> => {
  switch (protocol) {
    case 'http1':
      return askHttp1(port);
    case 'http2':
      return askHttp2(port, false);
    case 'grpc':
      return askHttp2(port, true);
    case 'thrift':
      return askThrift(port);
  }
};

const QUIET_MS = 50;
const MAX_WAITS = 40;

/** What the app has counted once nobody asks it any more: a load generator that stops leaves requests behind. */
const settledCount = async (app: RunningApp): Promise<number> => {
  let count = await app.count();
  for (let i = 0; i < MAX_WAITS; i++) {
    await setTimeout(QUIET_MS);
    const now = await app.count();
    if (now === count) break;
    count = now;
  }
  return count;
};

/** @throws with a sentence when the answer or the app's count is not what it should be. */
export const control = async (app: RunningApp, port: number): Promise<void> => {
  const before = await settledCount(app);
  const { fault, body } = await ask(app.protocol, port);
  const counted = (await app.count()) - before;
  if (fault) throw new Error(`the control request got ${fault}`);
  if (!body.equals(EXPECTED[app.protocol])) throw new Error('the control request got another body than the app sends');
  if (counted !== 1) throw new Error(`the app counted ${counted} control requests instead of 1`);
};
