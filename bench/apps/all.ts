/** The app for each protocol. */
import type { AppProtocol } from '../peers/peer.ts';
import type { StartApp } from './app.ts';
import { startNginxApp } from './nginx-app.ts';
import { startNodeApp } from './node-app.ts';

export const APPS: Readonly<Record<AppProtocol, StartApp>> = {
  http1: startNginxApp,
  http2: startNodeApp('http2', 'http2-app-program.ts'),
  grpc: startNodeApp('grpc', 'http2-app-program.ts'),
  thrift: startNodeApp('thrift', 'thrift-app-program.ts'),
};
