/** Words and openings that comments and pages do not use, because a reader has to parse them twice. */

import type { Comment } from './comments.js';

/** One finding; `line` counts from 1. */
export interface ProseProblem {
  readonly line: number;
  readonly kind: 'opening' | 'word' | 'length';
  readonly found: string;
}

/** Maximum words of a sentence in a doc comment. */
const SENTENCE_WORDS = 30;

const OPENING = /^(what|whether|whoever|whose|where|that which|as|so long|of what)\b/i;

const WORDS = [
  'anew',
  'beside(?! the point)',
  'whoever',
  'nobody',
  '(?:is|are|was|were) but(?! not)',
  'none of ours',
  'go(?:es|ing)? on with',
  'heed(?:s|ed|ing)?',
  'foret(?:ell|ells|old|elling)',
  'dear(?:er|est|ly)?',
  'hence',
  'thereof',
  '(?:is|are) told of',
  '(?:is|are) asked for by hand',
  'stands? in',
  'gives? up',
  'puts? off',
  'lest',
];
const FORBIDDEN = new RegExp(`\\b(?:${WORDS.join('|')})\\b`, 'gi');

/** Forbidden beginning of a comment, if any. */
export function findOpening(comment: string): string | undefined {
  return OPENING.exec(comment)?.[0];
}

/** Forbidden words. Text between backquotes and single words between quotes are code. */
export function findWords(text: string): ProseProblem[] {
  return text.split('\n').flatMap((content, index) =>
    [...withoutCode(content).matchAll(FORBIDDEN)].map(([found]) => ({
      line: index + 1,
      kind: 'word' as const,
      found,
    })),
  );
}

/** Sentences that are too long, each by its first words. */
export function findLongSentences(comment: string): ProseProblem[] {
  const problems: ProseProblem[] = [];
  for (const { line, sentence } of sentencesOf(comment)) {
    const words = sentence.split(/\s+/).filter((word) => /[\p{L}\p{N}]/u.test(word));
    if (words.length > SENTENCE_WORDS)
      problems.push({ line, kind: 'length', found: `${words.length} words: ${words.slice(0, 6).join(' ')} …` });
  }
  return problems;
}

/** All problems of comments, with the lines of the file. */
export function findProseProblems(comments: readonly Comment[]): ProseProblem[] {
  return comments.flatMap(({ line: first, isDoc, text }) => {
    const opening = findOpening(text);
    const problems = [
      ...(opening === undefined ? [] : [{ line: 1, kind: 'opening' as const, found: opening }]),
      ...findWords(text),
      ...(isDoc ? findLongSentences(text) : []),
    ];
    return problems.map((problem) => ({ ...problem, line: first + problem.line - 1 }));
  });
}

interface Sentence {
  readonly line: number;
  readonly sentence: string;
}

/**
 * Sentences of the text. A sentence ends at a full stop before a capital, and before a blank line, a list item or a
 * tag. Indented blocks are formulas.
 */
function sentencesOf(comment: string): Sentence[] {
  const found: Sentence[] = [];
  let line = 1;
  for (const block of comment.split(/(\n(?=\s*(?:\n|[-*@|]|\d+\. )))/)) {
    const isFormula = /^\s*\n {2,}/.test(block);
    for (const sentence of block.split(/(?<=[.!?]["')`]*)(?=\s+["'(`]?[\p{Lu}`\d])/u)) {
      const leading = /^\s*/.exec(sentence)?.[0] ?? '';
      if (!isFormula) found.push({ line: line + leading.split('\n').length - 1, sentence });
      line += sentence.split('\n').length - 1;
    }
  }
  return found;
}

function withoutCode(line: string): string {
  return line.replace(/`[^`]*`|"\w+"|'\w+'/g, '');
}
