/** A browser's own WebSocket through a pair of sidecars: a page and its server, neither of which knows of the mesh. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { WebSocketServer } from 'ws';
import { missing } from '../support/foreign-tools.ts';
import { startPair } from '../support/pair.ts';
import { runToEnd } from '../support/processes.ts';

const PAGE = readFileSync(new URL('../fixtures/websocket.html', import.meta.url));
/** A browser that asks nobody but the page's own server. */
const BROWSER = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-dev-shm-usage',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
  '--no-first-run',
  '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
];

t.test('a browser’s WebSocket', { skip: missing('chromium') }, async t => {
  const over = Promise.withResolvers<void>();
  const server = createServer(({ url }, response) => {
    const answer = (): void => {
      response.writeHead(200, { 'content-type': 'text/html', 'content-length': PAGE.length }).end(PAGE);
    };
    if (url === '/over') over.resolve();
    if (url === '/loaded') void over.promise.then(answer);
    else answer();
  });
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: protocols => [...protocols][0] ?? false });
  let opened = 0;
  let closedWith = '';
  server.on('upgrade', (request, socket, head) => {
    if (request.url !== '/chat') return socket.end('HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n');
    sockets.handleUpgrade(request, socket, head, webSocket => {
      opened++;
      webSocket.on('close', (code, reason) => {
        closedWith = `${code} ${reason.toString()}`;
      });
      webSocket.on('message', (data: Buffer, binary) => {
        const text = binary ? '' : data.toString();
        if (text === 'close') webSocket.close(4001, 'as asked');
        else if (text === 'ping me') {
          webSocket.once('pong', payload => webSocket.send(String(payload)));
          webSocket.ping('still there?');
        } else webSocket.send(data, { binary });
      });
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  await using pair = await startPair({ services: [{ name: 'chat', port: 80, protocol: 'http', appPort: port }] });
  t.teardown(() => {
    for (const client of sockets.clients) client.terminate();
    server.closeAllConnections();
    server.close();
  });
  const url = `http://127.0.0.1:${pair.upstream('chat')}/`;
  const profile = `--user-data-dir=${t.testdir({})}`;
  const { stdout } = await runToEnd('chromium', [...BROWSER, profile, '--dump-dom', url]);
  const lines = /<pre id="results">([^<]*)<\/pre>/.exec(stdout)?.[1]?.trim().split('\n');
  t.same(
    lines,
    [
      'open outrider.test',
      ...[0, 1, 125, 126, 65_535, 65_536, 1_000_000].map(size => `binary ${size} true`),
      'text Grüße',
      'the browser answered still there?',
      'closed by the server 4001 as asked true',
      'closed by the browser 4002 bye true',
      'refused 1006',
      'done',
    ],
    'what the page saw',
  );
  t.equal(opened, 2, 'the server had two connections');
  t.equal(closedWith, '4002 bye');
});
