/** A chat room: what one says, all hear. */
import { WebSocketServer } from 'ws';

const room = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]) });
room.on('connection', (guest, request) => {
  const name = String(request.url).slice(1);
  guest.send(`welcome, ${name} of ${String(request.headers['x-outrider-peer'])}`);
  guest.on('message', (data, isBinary) => {
    const bytes = Buffer.from(data);
    const said = isBinary ? `${bytes.length} bytes` : bytes.toString();
    for (const each of room.clients) each.send(`${name}: ${said}`);
  });
});
