/** The program `HessianCases` on Caucho's Hessian library for Java: compiled, started as a server, run as a client. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { findProgram, missing } from './foreign-tools.ts';
import { RunningProcess, runToEnd } from './processes.ts';
import { connects } from './tcp.ts';
import { waitFor } from './wait-for.ts';

const PROGRAM = fileURLToPath(new URL('../fixtures/hessian/HessianCases.java', import.meta.url));
/** Debian: libhessian-java. Maven: com.caucho:hessian. */
const JAR = process.env.OUTRIDER_HESSIAN_JAR ?? '/usr/share/java/hessian.jar';
const OPTIONS = [
  '-XX:TieredStopAtLevel=1',
  // Else each small answer waits for an acknowledgement that the client delays.
  '-Dsun.net.httpserver.nodelay=true',
  // The library sets fields of exceptions, which modules do not allow.
  ...['io', 'lang', 'util'].map(name => `--add-opens=java.base/java.${name}=ALL-UNNAMED`),
];

/** Where the server listens for calls. */
export const HESSIAN_PATH = '/remoting/accounts';

/** For tap's `skip`: false when Java and the library are there, else a sentence. */
export const missingHessianJava: string | false =
  findProgram('javac') === undefined
    ? missing('javac')
    : !existsSync(JAR) && 'needs the Hessian library for Java (libhessian-java); .ci/run installs what it needs';

export interface HessianJava {
  /** Prints CALL for each call. */
  readonly serve: (port: number) => Promise<RunningProcess>;
  /** `client URL` or `refused URL`: what each case came to, by `<wire> <case>`. @throws when the program fails. */
  readonly run: (mode: 'client' | 'refused', url: string) => Promise<ReadonlyMap<string, string>>;
}

/** @throws with what the compiler says. */
export const compileHessianJava = async (directory: string): Promise<HessianJava> => {
  const compiled = await runToEnd('javac', ['-cp', JAR, '-d', directory, PROGRAM]);
  if (compiled.code !== 0) throw new Error(compiled.stderr);
  const java = [...OPTIONS, '-cp', `${JAR}:${directory}`, 'HessianCases'];
  return {
    serve: async port => {
      const server = new RunningProcess('java', [...java, 'server', String(port)]);
      await waitFor('the server in Java', () => connects(port));
      return server;
    },
    run: async (mode, url) => {
      const { code, stdout, stderr } = await runToEnd('java', [...java, mode, url]);
      if (code !== 0) throw new Error(stderr);
      const rows = stdout
        .split('\n')
        .filter(line => line !== '')
        .map(line => line.split('\t'));
      return new Map(rows.map(([wire, name, outcome]) => [`${wire} ${name}`, outcome ?? '']));
    },
  };
};
