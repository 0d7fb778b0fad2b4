/** The program of the Thrift app: answers each call with the same string. Any message on its channel is answered with the count. */
import { type AddressInfo, createServer } from 'node:net';
import { readThriftFrames, SEQUENCE_AT, thriftReply } from './thrift-message.ts';

let count = 0;

const server = createServer(socket => {
  let rest: Buffer = Buffer.alloc(0);
  socket.setNoDelay(true);
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk: Buffer) => {
    const out: Buffer[] = [];
    rest = readThriftFrames(rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk, frame => {
      count += 1;
      out.push(thriftReply(frame.readUInt32BE(SEQUENCE_AT)));
    });
    if (out.length > 0) socket.write(Buffer.concat(out));
  });
});

server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
process.on('message', () => process.send?.(count));
process.on('disconnect', () => process.exit());
