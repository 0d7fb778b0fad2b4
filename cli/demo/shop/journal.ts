/** Tier 3, raw TCP: keeps a line for each order and says how many it has. */
import { endWithStdin } from './end-with-stdin.ts';
import { serveLines } from './lines.ts';

let lines = 0;

serveLines(Number(process.env.PORT), () => `line ${++lines}`);
endWithStdin();
