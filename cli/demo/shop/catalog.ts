/** Tier 2, REST: what there is to buy. It runs in two versions. */
import { endWithStdin } from './end-with-stdin.ts';
import { grpcClient } from './grpc.ts';
import { serveHttp } from './http.ts';

const inventory = grpcClient('Inventory');

serveHttp(Number(process.env.PORT), async (_method, path) => {
  const id = Number(path.split('/')[2] ?? 1);
  const { count = 0 } = await inventory('Stock', { id, count: 0 });
  return { status: 200, body: { id, count, version: process.env.VERSION } };
});
endWithStdin();
