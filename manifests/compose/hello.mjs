import { createServer } from 'node:http';

createServer((request, response) => response.end(`hello, ${String(request.headers['x-outrider-peer'])}\n`)).listen(
  Number(process.env.PORT ?? 8080),
  '127.0.0.1',
);
process.once('SIGTERM', () => process.exit(0));
