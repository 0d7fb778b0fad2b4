/** Running our own load programs, each in a process of its own. */
import { fileURLToPath } from 'node:url';
import type { Children } from '../chain/children.ts';
import type { GrpcLoadOptions } from './grpc-load.ts';
import type { Http1LoadOptions } from './http1-load.ts';
import type { Http2LoadOptions } from './http2-load.ts';
import type { LoadResult } from './load-result.ts';
import type { StreamLoadOptions } from './stream-load.ts';
import type { ThriftLoadOptions } from './thrift-load.ts';

const runner =
  <Options>(program: string) =>
  async (children: Children, options: Options): Promise<LoadResult> => {
    const path = fileURLToPath(new URL(program, import.meta.url));
    return JSON.parse(await children.run(process.execPath, [path, JSON.stringify(options)])) as LoadResult;
  };

export const runHttp1Load = runner<Http1LoadOptions>('http1-load.ts');
export const runHttp2Load = runner<Http2LoadOptions>('http2-load.ts');
export const runStreamLoad = runner<StreamLoadOptions>('stream-load.ts');
export const runGrpcLoad = runner<GrpcLoadOptions>('grpc-load.ts');
export const runThriftLoad = runner<ThriftLoadOptions>('thrift-load.ts');
