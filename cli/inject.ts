import { readFileSync } from 'node:fs';
import { type Command, Option } from 'commander';
import { Failure, report } from './failure.ts';
import { injectManifest } from './inject/inject-manifest.ts';
import type { InjectOptions } from './inject/settings.ts';
import { defaultImage, defaultInitImage } from './install/image.ts';
import { version } from './version.ts';

interface InjectFlags extends Omit<InjectOptions, 'version'> {
  readonly filename: readonly string[];
}

/** `outrider inject`: Kubernetes manifests with the sidecar added. All or nothing: what cannot be done is said, and nothing is printed. */
export const registerInject = (program: Command): void => {
  program
    .command('inject')
    .summary('adds the sidecar to Kubernetes manifests')
    .description(
      'Prints Kubernetes manifests with the sidecar added to every pod in them: of a Pod, Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob, or a List of those. Comments, order and everything else stay. Annotations of a pod change what is added: docs/kubernetes.md.',
    )
    .requiredOption('-f, --filename <file...>', 'YAML or JSON files, or - for standard input')
    .option('--classic', 'a container among the others, for Kubernetes before 1.29', false)
    .addOption(
      new Option(
        '--interception <how>',
        "redirect: the kernel hands the app's connections to the sidecar; none: the app is told of it",
      )
        .choices(['redirect', 'none'])
        .default('redirect'),
    )
    .option('--image <name>', 'of the sidecar', defaultImage)
    .option('--init-image <name>', 'of the init container that redirects', defaultInitImage)
    .option('--control-plane <urls>', 'its sidecar channel', 'https://outrider.outrider-system.svc:15012')
    .addHelpText('after', '\nExample:\n  outrider inject -f web.yaml | kubectl apply -f -\n')
    .action(({ filename, ...flags }: InjectFlags) => {
      try {
        process.stdout.write(injectFiles(filename, { ...flags, version }));
      } catch (error) {
        report(error);
      }
    });
};

/** @throws Failure with a line for everything that cannot be done */
const injectFiles = (files: readonly string[], options: InjectOptions): string => {
  const problems: string[] = [];
  const outputs = files.map(file => {
    const place = file === '-' ? 'standard input' : file;
    const { text, problems: some } = injectManifest(readText(file), place, options);
    problems.push(...some);
    return text;
  });
  if (problems.length > 0) throw new Failure(...problems);
  return joinFiles(outputs);
};

const readText = (file: string): string => {
  try {
    return readFileSync(file === '-' ? 0 : file, 'utf8');
  } catch (error) {
    throw new Failure(`cannot read ${file === '-' ? 'standard input' : file}: ${(error as Error).message}`);
  }
};

/** Each file begins a document of its own. */
const joinFiles = (texts: readonly string[]): string =>
  texts
    .map((text, i) => (i === 0 || /^---(\s|$)/.test(text) ? text : `---\n${text}`))
    .reduce((before, text) => (before === '' || before.endsWith('\n') ? before + text : `${before}\n${text}`), '');
