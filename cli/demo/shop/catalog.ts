/** Tier 2, REST: what there is to buy. It runs in two versions. */
import { endWithStdin } from './end-with-stdin.ts';
import { grpcClient } from './grpc.ts';
import { serveHttp } from './http.ts';
import { callThrift } from './thrift.ts';

const inventory = grpcClient('Inventory');

serveHttp(Number(process.env.PORT), async (_method, path) => {
  const id = Number(path.split('/')[2] ?? 1);
  const [{ count = 0 }, stars] = await Promise.all([
    inventory('Stock', { id, count: 0 }),
    callThrift('ratings', 'stars', id),
  ]);
  return { status: 200, body: { id, count, stars, version: process.env.VERSION } };
});
endWithStdin();
