/** The people: eight of them, looking at products and buying some. Says on standard output when the first got an answer, and at the end how it went. They come and go by the words `go` and `stop` on standard input. */
import { setTimeout as pause } from 'node:timers/promises';
import { endWithStdin } from './end-with-stdin.ts';
import { call } from './http.ts';

const SHOPPERS = 8;
const PRODUCTS = 100;
const BUYS_EVERY = 3;
const PAUSE_MS = 100;

let shopping = true;
let sent = 0;
let failed = 0;
let answered = 0;

const shop = async (shopper: number): Promise<void> => {
  for (let round = 0; shopping; round++) {
    const product = (round * SHOPPERS + shopper) % PRODUCTS;
    sent++;
    try {
      if (round % BUYS_EVERY === 0) await call('POST', `http://storefront/products/${product}`);
      else await call('GET', `http://storefront/products/${product}`);
      if (answered++ === 0) say({ first: true });
    } catch (error) {
      failed++;
      process.stderr.write(`shopper: ${error instanceof Error ? error.message : String(error)}\n`);
    }
    await pause(PAUSE_MS * (0.5 + Math.random()));
  }
};

const say = (line: object): boolean => process.stdout.write(`${JSON.stringify(line)}\n`);

const open = async (): Promise<void> => {
  await Promise.all(Array.from({ length: SHOPPERS }, (_, shopper) => shop(shopper)));
  say({ sent, failed });
};

endWithStdin(line => {
  if (line === 'go') void open();
  if (line === 'stop') shopping = false;
});
