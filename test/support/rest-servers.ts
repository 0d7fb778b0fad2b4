/** One small REST server in four languages, none of which knows of a mesh. */
import { strict as assert } from 'node:assert';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FOREIGN_PACKAGES, missingPackages } from './foreign-packages.ts';
import { findProgram, missing } from './foreign-tools.ts';
import { RunningProcess, runToEnd } from './processes.ts';

const SOURCES = fileURLToPath(new URL('../fixtures/rest', import.meta.url));

export interface RestServer {
  readonly name: string;
  /** For tap. */
  readonly skip: string | false;
  /** `directory`: for what has to be built first; `file`: what it serves as `/file`. */
  readonly start: (port: number, file: string, directory: string) => Promise<RunningProcess>;
}

const environment = (port: number, FILE: string) => ({ PORT: String(port), FILE });

export const REST_SERVERS: readonly RestServer[] = [
  {
    name: 'Flask under gunicorn',
    skip: missing('gunicorn'),
    start: async (port, file) => {
      const words = ['-w', '1', '--threads', '8', '--keep-alive', '60', '-b', `127.0.0.1:${port}`];
      return new RunningProcess('gunicorn', [...words, '--chdir', SOURCES, 'flask_server:app'], {
        env: { ...environment(port, file), PYTHONDONTWRITEBYTECODE: '1' },
      });
    },
  },
  {
    name: 'Express',
    skip: missingPackages('express'),
    start: async (port, file) =>
      new RunningProcess(process.execPath, [join(SOURCES, 'express_server.cjs')], {
        env: { ...environment(port, file), MODULES: FOREIGN_PACKAGES },
      }),
  },
  {
    name: "Go's net/http",
    skip: missing('go'),
    start: async (port, file, directory) => {
      const program = join(directory, 'rest-server');
      const built = await runToEnd('go', ['build', '-o', program, join(SOURCES, 'rest_server.go')], {
        timeoutMs: 240_000,
      });
      assert.equal(built.code, 0, built.stderr);
      return new RunningProcess(program, [], { env: environment(port, file) });
    },
  },
  {
    name: "Java's com.sun.net.httpserver",
    // The compiler, which runs a source file, is missing where there is only a runtime.
    skip: findProgram('javac') === undefined ? missing('javac') : missing('java'),
    start: async (port, file) =>
      new RunningProcess('java', ['-XX:TieredStopAtLevel=1', join(SOURCES, 'RestServer.java')], {
        env: environment(port, file),
      }),
  },
];
