/** Tier 3, Apache Thrift: how many stars a product has. */
import { endWithStdin } from './end-with-stdin.ts';
import { serveThrift } from './thrift.ts';

const MOST = 5;

serveThrift(Number(process.env.PORT), (_name, id) => 1 + (id % MOST));
endWithStdin();
