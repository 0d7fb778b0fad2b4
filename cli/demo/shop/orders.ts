/** Tier 2, gRPC: reserves and charges. */
import { endWithStdin } from './end-with-stdin.ts';
import { grpcClient, serveGrpc } from './grpc.ts';
import { call } from './http.ts';

const inventory = grpcClient('Inventory');
let number = 0;

serveGrpc('Orders', Number(process.env.PORT), {
  Place: async ({ id = 0, count = 1 }) => {
    await inventory('Reserve', { id, count });
    await call('POST', 'http://payments/charges');
    return { number: ++number };
  },
});
endWithStdin();
