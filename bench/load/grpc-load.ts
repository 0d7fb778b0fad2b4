/** Load program: unary calls by `@grpc/grpc-js`, as an application makes them. Argument: its options as JSON; prints a `LoadResult`. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, credentials, type requestCallback } from '@grpc/grpc-js';
import { GRPC_PATH, GRPC_PAYLOAD } from '../apps/grpc-message.ts';
import { Tally } from './tally.ts';

export interface GrpcLoadOptions {
  readonly port: number;
  readonly clients: number;
  /** Calls in flight of each client. */
  readonly calls: number;
  readonly seconds: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as GrpcLoadOptions;
const tally = new Tally();
let running = true;

const same = (bytes: Buffer): Buffer => bytes;

const callForever = (client: Client): void => {
  const sentAt = performance.now();
  const done: requestCallback<Buffer> = (error, answer) => {
    if (!running) return;
    if (error) tally.fault(`A call failed: ${error.message}.`);
    else if (!answer?.equals(GRPC_PAYLOAD)) tally.fault('A wrong answer.');
    else tally.answer(sentAt, answer.length);
    callForever(client);
  };
  client.makeUnaryRequest(GRPC_PATH, same, same, GRPC_PAYLOAD, done);
};

const clients = Array.from(
  { length: options.clients },
  // Separate pools: else all clients of one process share a connection.
  () => new Client(`127.0.0.1:${options.port}`, credentials.createInsecure(), { 'grpc.use_local_subchannel_pool': 1 }),
);
for (const client of clients) for (let i = 0; i < options.calls; i++) callForever(client);
await sleep(options.seconds * 1_000);
running = false;
const result = tally.result();
for (const client of clients) client.close();
process.stdout.write(JSON.stringify(result), () => process.exit());
