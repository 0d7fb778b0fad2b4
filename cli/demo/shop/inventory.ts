/** Tier 3, gRPC: how many there are. */
import { endWithStdin } from './end-with-stdin.ts';
import { serveGrpc } from './grpc.ts';

const STOCK = 1_000_000;
const levels = new Map<number, number>();

serveGrpc('Inventory', Number(process.env.PORT), {
  Stock: ({ id = 0 }) => ({ count: levels.get(id) ?? STOCK }),
  Reserve: ({ id = 0, count = 0 }) => {
    const left = (levels.get(id) ?? STOCK) - count;
    levels.set(id, left);
    return { count: left };
  },
});
endWithStdin();
