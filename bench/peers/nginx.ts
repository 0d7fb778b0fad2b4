/** A pair of nginx processes: mTLS between them; HTTP/1.1 with keep-alive, or `grpc_pass` for HTTP/2, which nginx can't multiplex. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { NAME_B } from '../chain/certificates.ts';
import { ENDLESS, nginxConfig } from '../chain/nginx-config.ts';
import { freePorts, waitUntilListening } from '../chain/ports.ts';
import { missingProgram, programVersion } from '../chain/programs.ts';
import type { Chain, Peer } from './peer.ts';
import { type ProxyProcess, startPair } from './start-pair.ts';

const upstream = (port: number): string =>
  `upstream next { server 127.0.0.1:${port}; keepalive 256; keepalive_requests ${ENDLESS}; }`;

const BUFFERS = 'proxy_max_temp_file_size 0; client_max_body_size 0;';

const configure = (chain: Chain, portA: number, portB: number): readonly [string, string] => {
  const { ca, a, b } = chain.certificates;
  const http2 = chain.protocol !== 'http1';
  const pass = http2 ? 'grpc' : 'proxy';
  const listen = http2 ? 'http2' : '';
  const keepAlive = http2 ? '' : 'proxy_http_version 1.1; proxy_set_header Connection "";';
  return [
    `${upstream(portB)}
  server { listen 127.0.0.1:${portA} ${listen}; ${BUFFERS}
    location / {
      ${pass}_pass ${http2 ? 'grpcs' : 'https'}://next; ${keepAlive} ${pass}_set_header X-Request-ID $request_id;
      ${pass}_ssl_certificate ${a.certificate}; ${pass}_ssl_certificate_key ${a.key};
      ${pass}_ssl_trusted_certificate ${ca}; ${pass}_ssl_verify on; ${pass}_ssl_name ${NAME_B}; ${pass}_ssl_server_name on; ${pass}_ssl_protocols TLSv1.3;
    } }`,
    `${upstream(chain.appPort)}
  server { listen 127.0.0.1:${portB} ssl ${listen}; ${BUFFERS}
    ssl_certificate ${b.certificate}; ssl_certificate_key ${b.key}; ssl_client_certificate ${ca}; ssl_verify_client on; ssl_protocols TLSv1.3;
    location / { ${pass}_pass ${http2 ? 'grpc' : 'http'}://next; ${keepAlive} } }`,
  ];
};

export const nginx: Peer = {
  name: 'nginx',
  version: () => programVersion('nginx', ['-v']) ?? '',
  unavailable: protocol => (protocol === 'thrift' ? 'nginx does not speak Thrift.' : missingProgram(['nginx'])),
  async start(chain) {
    const [portA, portB] = (await freePorts(2)) as [number, number];
    const proxy = async (name: string, http: string, port: number): Promise<ProxyProcess> => {
      const directory = join(chain.directory, name);
      await mkdir(directory);
      const path = join(directory, 'nginx.conf');
      await writeFile(path, nginxConfig(directory, http));
      return {
        start: () => chain.children.start('nginx', ['-p', directory, '-c', path, '-e', 'stderr']),
        ready: child => waitUntilListening(child, port),
      };
    };
    const [a, b] = configure(chain, portA, portB);
    return startPair(portA, await proxy('a', a, portA), await proxy('b', b, portB));
  },
};
