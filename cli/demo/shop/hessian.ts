/** Hessian 2 over HTTP: methods that take one int and give one. */
import { createServer } from 'node:http';
import { buffer } from 'node:stream/consumers';

const TYPE = 'x-application/hessian';
const ONE_ARGUMENT = 0x91;
const NAME_AT = 5;

const int = (value: number): Buffer => {
  const bytes = Buffer.from('I\0\0\0\0');
  bytes.writeInt32BE(value, 1);
  return bytes;
};

/** `name`: of at most 31 letters. */
const writeCall = (name: string, argument: number): Buffer =>
  Buffer.concat([
    Buffer.from('H\x02\0C'),
    Buffer.from([name.length]),
    Buffer.from(name),
    Buffer.from([ONE_ARGUMENT]),
    int(argument),
  ]);

const readCall = (bytes: Buffer): { name: string; argument: number } => {
  const end = NAME_AT + bytes.readUInt8(NAME_AT - 1);
  return { name: bytes.toString('latin1', NAME_AT, end), argument: bytes.readInt32BE(end + 2) };
};

export const serveHessian = (port: number, answer: (name: string, argument: number) => number): void => {
  const server = createServer((request, response) => {
    void buffer(request).then(body => {
      const { name, argument } = readCall(body);
      response.setHeader('content-type', TYPE);
      response.end(Buffer.concat([Buffer.from('H\x02\0R'), int(answer(name, argument))]));
    });
  });
  server.listen(port, '127.0.0.1');
  process.once('SIGTERM', () => server.close(() => process.exit(0)));
};

/** @throws when the answer is a fault. */
export const callHessian = async (url: string, name: string, argument: number): Promise<number> => {
  const options = { method: 'POST', headers: { 'content-type': TYPE }, signal: AbortSignal.timeout(5_000) };
  const answer = await fetch(url, { ...options, body: Uint8Array.from(writeCall(name, argument)) });
  const bytes = Buffer.from(await answer.arrayBuffer());
  if (bytes.toString('latin1', 0, 4) !== 'H\x02\0R') throw new Error(`${url}: ${name} failed`);
  return bytes.readInt32BE(NAME_AT);
};
