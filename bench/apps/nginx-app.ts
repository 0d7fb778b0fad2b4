/** The HTTP/1.1 app: nginx, with `stub_status` as the counter. */
import { open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nginxConfig } from '../chain/nginx-config.ts';
import { freePorts, waitUntilListening } from '../chain/ports.ts';
import { LARGE_BYTES, MEGABYTE, SMALL_BODY, type StartApp } from './app.ts';

/** A file of zeroes that takes no room on the disk. */
const sparseFile = async (path: string, bytes: number): Promise<void> => {
  const file = await open(path, 'w');
  await file.truncate(bytes);
  await file.close();
};

/** The third line of `stub_status` is `accepts handled requests`. */
const requestsOf = (status: string): number => Number(/^\s*\d+ \d+ (\d+)/m.exec(status)?.[1]);

export const startNginxApp: StartApp = async (children, directory) => {
  const [port, statusPort] = (await freePorts(2)) as [number, number];
  await sparseFile(join(directory, '1mb'), MEGABYTE);
  await sparseFile(join(directory, 'large'), LARGE_BYTES);
  const config = nginxConfig(
    directory,
    `sendfile on; client_max_body_size 0;
  server { listen 127.0.0.1:${port} backlog=4096; default_type application/json;
    location / { return 200 '${SMALL_BODY}'; }
    # Answers only when the whole body is there, which \`return\` alone does not.
    location = /upload { client_body_buffer_size 2m; proxy_pass_request_body off; proxy_method GET; proxy_pass http://127.0.0.1:${port}/; }
    location = /1mb { root ${directory}; }
    location = /large { root ${directory}; } }
  server { listen 127.0.0.1:${statusPort}; location / { stub_status; } }`,
  );
  const path = join(directory, 'nginx.conf');
  await writeFile(path, config);
  const child = children.start('nginx', ['-p', directory, '-c', path, '-e', 'stderr']);
  await waitUntilListening(child, port);
  let asked = 0;
  return {
    protocol: 'http1',
    port,
    async count() {
      const answer = await fetch(`http://127.0.0.1:${statusPort}/`);
      asked += 1;
      return requestsOf(await answer.text()) - asked;
    },
    stop: () => child.stop(),
  };
};
