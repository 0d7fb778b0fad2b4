/** Tier 3, REST: takes the money, but for every tenth request it says 503 before it has done anything. */
import { endWithStdin } from './end-with-stdin.ts';
import { serveHttp } from './http.ts';

const FAILS_EVERY = 10;
let requests = 0;

serveHttp(Number(process.env.PORT), () => {
  requests++;
  return requests % FAILS_EVERY === 0
    ? { status: 503, body: { error: 'busy' } }
    : { status: 200, body: { charged: true } };
});
endWithStdin();
