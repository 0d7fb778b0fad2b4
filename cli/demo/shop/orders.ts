/** Tier 2, gRPC: reserves and charges, then gives points and writes it down. */
import { endWithStdin } from './end-with-stdin.ts';
import { grpcClient, serveGrpc } from './grpc.ts';
import { callHessian } from './hessian.ts';
import { call } from './http.ts';
import { sayLine } from './lines.ts';

const inventory = grpcClient('Inventory');
let number = 0;

serveGrpc('Orders', Number(process.env.PORT), {
  Place: async ({ id = 0, count = 1 }) => {
    await inventory('Reserve', { id, count });
    await call('POST', 'http://payments/charges');
    number++;
    await Promise.all([
      callHessian('http://points/customers', 'give', count),
      sayLine('journal', `order ${number}: ${count} of ${id}`),
    ]);
    return { number };
  },
});
endWithStdin();
