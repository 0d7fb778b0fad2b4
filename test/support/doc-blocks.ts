import { readFileSync } from 'node:fs';

/** The code blocks of one language in a section of a page (a path from the root of the project), in their order. */
export const docBlocks = (page: string, heading: string, language: string): string[] => {
  const text = readFileSync(new URL(`../../${page}`, import.meta.url), 'utf8');
  const section = text.split(/^(?=## )/m).find(each => each.startsWith(`## ${heading}\n`)) ?? '';
  return [...section.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, block = '']) => block);
};
