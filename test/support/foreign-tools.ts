/** Programs that are not ours and not on every machine: where they are, and the sentence of a suite that has to skip without them. */
import { accessSync, constants } from 'node:fs';
import { join } from 'node:path';

/** Debian's own Python, which Debian's Python packages belong to. */
export const PYTHON = '/usr/bin/python3';

/** What `.ci/fetch-tools` made; '' when it was not run. */
const TOOLS = process.env.OUTRIDER_INTEROP_TOOLS ?? '';

/** The path of a program, looked for among the fetched tools and in PATH; undefined when it is not installed. */
export const findProgram = (name: string): string | undefined => {
  const directories = [join(TOOLS, 'bin'), ...(process.env.PATH ?? '').split(':'), '/usr/sbin'];
  return directories
    .map(directory => join(directory, name))
    .find(path => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
};

/** For tap's `skip`: false when all are installed, else a sentence. */
export const missing = (...programs: string[]): string | false => {
  const absent = programs.filter(name => findProgram(name) === undefined);
  return absent.length > 0 && `needs ${absent.join(', ')}; .ci/run installs what it needs`;
};

/** Packages for `PYTHON`, by `PYTHONPATH`. */
export const PYTHON_PACKAGES = join(TOOLS, 'python');

/** Programs made of `test/fixtures/thrift`. */
export const THRIFT_PROGRAMS = join(TOOLS, 'thrift');

/** gRPC's own interop programs in Python; undefined when they were not fetched. */
export const grpcInteropDirectory = (): string | undefined => {
  const directory = join(TOOLS, 'grpc');
  try {
    accessSync(join(directory, 'ready'));
    return directory;
  } catch {
    return undefined;
  }
};
