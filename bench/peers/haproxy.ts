/** A pair of HAProxy processes, one thread each: mTLS and HTTP/2 between them, a request id made by the first. */
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NAME_B } from '../chain/certificates.ts';
import { freePorts, waitUntilListening } from '../chain/ports.ts';
import { missingProgram, programVersion } from '../chain/programs.ts';
import type { Chain, Peer } from './peer.ts';
import { type ProxyProcess, startPair } from './start-pair.ts';

const COMMON = `
global
  nbthread 1
  maxconn 4000
defaults
  mode http
  timeout client 60s
  timeout server 60s
  timeout connect 5s
  http-reuse always
`;

const configure = (chain: Chain, portA: number, portB: number): readonly [string, string] => {
  const { ca, a, b } = chain.certificates;
  const prior = chain.protocol === 'http1' ? '' : 'proto h2';
  const verified = `ca-file ${ca} verify required ssl-min-ver TLSv1.3 alpn h2`;
  return [
    `${COMMON}frontend a
  unique-id-format %[uuid()]
  unique-id-header X-Request-ID
  bind 127.0.0.1:${portA} ${prior}
  default_backend to_b
backend to_b
  server b 127.0.0.1:${portB} ssl crt ${a.both} ${verified} sni str(${NAME_B}) verifyhost ${NAME_B}
`,
    `${COMMON}frontend b
  bind 127.0.0.1:${portB} ssl crt ${b.both} ${verified}
  default_backend app
backend app
  server app 127.0.0.1:${chain.appPort} ${prior}
`,
  ];
};

export const haproxy: Peer = {
  name: 'haproxy',
  version: () => (programVersion('haproxy', ['-v']) ?? '').replace(/ - https.*/, ''),
  unavailable: protocol => (protocol === 'thrift' ? 'HAProxy does not speak Thrift.' : missingProgram(['haproxy'])),
  async start(chain) {
    const [portA, portB] = (await freePorts(2)) as [number, number];
    const proxy = async (file: string, config: string, port: number): Promise<ProxyProcess> => {
      const path = join(chain.directory, file);
      await writeFile(path, config);
      return {
        start: () => chain.children.start('haproxy', ['-db', '-f', path]),
        ready: child => waitUntilListening(child, port),
      };
    };
    const [a, b] = configure(chain, portA, portB);
    return startPair(portA, await proxy('haproxy-a.cfg', a, portA), await proxy('haproxy-b.cfg', b, portB));
  },
};
