/** A chat room: what one says, all hear. */
import { WebSocketServer } from 'ws';

const room = new WebSocketServer({ host: '127.0.0.1', port: Number(process.argv[2]) });
room.on('connection', (guest, request) => {
  const name = request.url.slice(1);
  guest.send(`welcome, ${name} of ${request.headers['x-outrider-peer']}`);
  guest.on('message', (data, isBinary) => {
    const said = isBinary ? `${data.length} bytes` : data;
    for (const each of room.clients) each.send(`${name}: ${said}`);
  });
});
