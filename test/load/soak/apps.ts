/** The service that the soak calls: HTTP with WebSocket on one port, gRPC and raw TCP on two more, all in this process. */
import { once } from 'node:events';
import { createServer } from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { WebSocketServer } from 'ws';
import { startEchoServer } from '../../support/grpc-echo.ts';

export interface SoakApps extends AsyncDisposable {
  readonly http: number;
  readonly grpc: number;
  readonly tcp: number;
}

/** `/big` is 2 MB, anything else gives the request's body back. */
export const startApps = async (): Promise<SoakApps> => {
  const big = Buffer.alloc(2_000_000, 'b');
  const http = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    if (request.url === '/big') {
      request.resume();
      response.end(big);
    } else request.pipe(response);
  });
  const sockets = new WebSocketServer({ server: http });
  sockets.on('connection', socket => {
    socket.on('error', () => undefined);
    socket.on('message', (data: Buffer, binary) => socket.send(data, { binary }));
  });
  const tcp = net.createServer(socket => socket.on('error', () => undefined).pipe(socket));
  const grpc = await startEchoServer();
  for (const server of [http, tcp]) {
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
  }
  const portOf = (server: net.Server): number => (server.address() as AddressInfo).port;
  return {
    http: portOf(http),
    grpc: grpc.port,
    tcp: portOf(tcp),
    [Symbol.asyncDispose]: async () => {
      await grpc[Symbol.asyncDispose]();
      for (const client of sockets.clients) client.terminate();
      http.closeAllConnections();
      for (const server of [http, tcp]) server.close();
    },
  };
};
