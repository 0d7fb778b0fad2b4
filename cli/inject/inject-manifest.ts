import { addSidecar } from './add-sidecar.ts';
import { PREFIX } from './annotations.ts';
import { checkInjected, checkTemplate, isInjected } from './check-template.ts';
import { EditError } from './edit.ts';
import { type ManifestDocument, readManifest } from './manifest.ts';
import { type PodTemplate, podTemplates } from './pod-templates.ts';
import { type InjectOptions, readSettings } from './settings.ts';

export interface Injected {
  readonly text: string;
  /** What cannot be done, a sentence each, with document, kind and name. The text is meaningless when there is one. */
  readonly problems: readonly string[];
}

/** Adds the sidecar to every pod of a file. Documents without one stay as they are, byte for byte. @throws Failure where the YAML is broken */
export const injectManifest = (text: string, place: string, options: InjectOptions): Injected => {
  const documents = readManifest(text, place);
  const injected = documents.map(document => injectDocument(document, options));
  return {
    text: injected.map(each => each.text).join(''),
    problems: injected.flatMap(({ problems }, i) =>
      problems.map(problem => `${documents.length > 1 ? `${place}: document ${i + 1}` : place}: ${problem}`),
    ),
  };
};

const injectDocument = (document: ManifestDocument, options: InjectOptions): Injected => {
  const problems: string[] = [];
  const wanted = podTemplates(document.value).flatMap(template => {
    const found = problemsOrSettings(template, options);
    problems.push(...found.problems.map(problem => `${nameOf(template)} ${problem}`));
    return found.settings === undefined ? [] : [{ template, settings: found.settings }];
  });
  if (wanted.length === 0 || problems.length > 0) return { text: document.source, problems };
  const text = document.edit(yaml => {
    for (const { template, settings } of wanted)
      try {
        addSidecar(yaml, template, settings, options.version);
      } catch (error) {
        if (!(error instanceof EditError)) throw error;
        problems.push(`${nameOf(template)} ${error.message}`);
      }
  });
  return { text, problems };
};

const nameOf = ({ kind, name }: PodTemplate): string => `${kind} ${JSON.stringify(name)}`;

/** No settings and no problem: the pod stays as it is. */
const problemsOrSettings = (template: PodTemplate, options: InjectOptions) => {
  if (template.metadata.annotations[`${PREFIX}inject`] === 'false') return { problems: [] };
  if (isInjected(template)) return { problems: checkInjected(template) };
  const read = readSettings(template, options);
  if ('problems' in read) return { problems: read.problems.map(problem => `cannot be injected: ${problem}`) };
  return { problems: checkTemplate(template, read.settings), settings: read.settings };
};
