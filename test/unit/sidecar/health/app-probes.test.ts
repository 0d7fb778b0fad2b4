import { createServer } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import t from 'tap';
import { appProbeRoutes } from '../../../../sidecar/admin/app-probe-routes.ts';
import { readConfig } from '../../../../sidecar/config.ts';
import { type AppProbe, parseAppProbes } from '../../../../sidecar/health/app-probes.ts';
import { createSvid, createTestMesh } from '../../../support/test-mesh.ts';

const URL_PATH = '/app-health/app/readyz';
const parsed = (probe: object): readonly AppProbe[] => {
  const probes = parseAppProbes(JSON.stringify({ [URL_PATH]: probe }));
  if (typeof probes === 'string') throw new Error(probes);
  return probes;
};
const ask = async (probe: object): Promise<string> => {
  const { [URL_PATH]: route } = appProbeRoutes(parsed(probe), '127.0.0.1');
  const { status, body } = await route!.handle({ query: new URLSearchParams(), accept: '' });
  return `${status} ${(body as string).trim()}`;
};
const portOf = (server: { address(): unknown }): number => (server.address() as AddressInfo).port;

t.test('probes are read in the words of Kubernetes, with its defaults', t => {
  t.same(parsed({ httpGet: { port: 80 } }), [
    {
      url: URL_PATH,
      port: 80,
      view: { kind: 'http', path: '/', authority: '', headers: [], statuses: [[200, 399]], http2: false },
      https: false,
      timeoutMs: 1_000,
    },
  ]);
  t.match(parsed({ httpGet: { path: 'ok', port: 80, scheme: 'HTTPS', httpHeaders: [{ name: 'A', value: 'b' }] } }), [
    { view: { path: '/ok', headers: [{ name: 'A', value: 'b' }] }, https: true },
  ]);
  t.match(parsed({ tcpSocket: { port: 81 }, timeoutSeconds: 3 }), [
    { port: 81, view: { kind: 'tcp' }, timeoutMs: 3_000 },
  ]);
  t.match(parsed({ grpc: { port: 82 } }), [{ view: { kind: 'grpc', service: '' } }]);
  t.match(parsed({ grpc: { port: 82, service: 'a.B' } }), [{ view: { kind: 'grpc', service: 'a.B' } }]);
  t.end();
});

t.test('what is no probe is refused with a sentence', t => {
  t.equal(parseAppProbes('x'), 'must be JSON');
  t.equal(parseAppProbes('[]'), 'must be an object of probes by path');
  const many = Object.fromEntries(Array.from({ length: 101 }, (_, i) => [`/app-health/a${i}/livez`, {}]));
  t.equal(parseAppProbes(JSON.stringify(many)), 'must have at most 100 probes');
  t.match(parseAppProbes('{"/metrics": {"tcpSocket": {"port": 1}}}'), /no probe that can be made at "\/metrics"/);
  const wrong: readonly unknown[] = [
    1,
    {},
    { exec: { command: ['ls'] } },
    { httpGet: 1 },
    { httpGet: { port: 'http' } },
    { httpGet: { port: 0 } },
    { httpGet: { port: 80, scheme: 'FTP' } },
    { httpGet: { port: 80, path: '/a b' } },
    { httpGet: { port: 80, path: 1 } },
    { httpGet: { port: 80, httpHeaders: {} } },
    { httpGet: { port: 80, httpHeaders: [1] } },
    { httpGet: { port: 80, httpHeaders: [{ name: 'a b', value: '' }] } },
    { httpGet: { port: 80, httpHeaders: [{ name: 'a', value: 'b\r\nc: d' }] } },
    { grpc: { port: 1, service: 1 } },
    { tcpSocket: { port: 65_536 } },
    { tcpSocket: { port: 1 }, timeoutSeconds: 0 },
  ];
  for (const each of wrong)
    t.match(
      parseAppProbes(JSON.stringify({ [URL_PATH]: each })),
      /^has no probe that can be made/,
      JSON.stringify(each),
    );
  t.match(readConfig({ OUTRIDER_SERVICE: 'a', OUTRIDER_APP_PROBES: 'x' }), {
    problems: [{ variable: 'OUTRIDER_APP_PROBES', reason: 'must be JSON' }],
  });
  t.end();
});

t.test('the app is asked from within the pod, and its answer is passed on', async t => {
  const seen: unknown[] = [];
  const server = createServer((request, response) => {
    seen.push(request.headers['x-probe']);
    if (request.url === '/hangs') return;
    response.writeHead(request.url === '/ok' ? 204 : 500).end();
  });
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => {
    server.closeAllConnections();
    server.close();
  });
  const port = portOf(server);
  t.equal(
    await ask({ httpGet: { path: '/ok', port, httpHeaders: [{ name: 'X-Probe', value: '1' }] } }),
    '200 status 204',
  );
  t.same(seen, ['1']);
  t.equal(await ask({ httpGet: { path: '/bad', port } }), '503 status 500');
  t.equal(await ask({ httpGet: { path: '/hangs', port }, timeoutSeconds: 1 }), '503 no answer within 1 s');
  t.equal(await ask({ tcpSocket: { port } }), '200 connected');
  t.equal(await ask({ tcpSocket: { port: 1 } }), '503 connection refused');
  t.match(await ask({ grpc: { port } }), /^503 /);
});

t.test('over HTTPS the certificate is not looked at, as the kubelet does not', async t => {
  const { certificatePem, keyPem } = createSvid(createTestMesh().root, 'app');
  const server = createTlsServer({ cert: certificatePem, key: keyPem }, (_, response) => void response.end());
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve));
  t.teardown(() => void server.close());
  t.equal(await ask({ httpGet: { port: portOf(server), scheme: 'HTTPS' } }), '200 status 200');
});
