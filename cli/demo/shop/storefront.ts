/** Tier 1, REST: what shoppers see. */
import { endWithStdin } from './end-with-stdin.ts';
import { grpcClient } from './grpc.ts';
import { call, serveHttp } from './http.ts';

const orders = grpcClient('Orders');

serveHttp(Number(process.env.PORT), async (method, path) => {
  const id = Number(path.split('/')[2] ?? 1);
  const body = method === 'POST' ? await orders('Place', { id, count: 1 }) : await call('GET', `http://catalog${path}`);
  return { status: 200, body };
});
endWithStdin();
