/** Hashed features of a mail; training and serving share this file. */

/** Size of the feature space. */
export const featureCount = 16_384;

/** `words`: single words and pairs; `letters`: runs of four characters; `bayes`: single words. */
export type FeatureKind = 'words' | 'letters' | 'bayes';

/** Indices of the features in the first `characters` characters of the text. */
export function featuresOf(text: string, kind: FeatureKind, characters: number): Set<number> {
  const start = text.slice(0, characters).toLowerCase();
  return kind === 'letters' ? lettersOf(start) : wordsOf(start, kind === 'words');
}

function wordsOf(text: string, withPairs: boolean): Set<number> {
  const features = new Set<number>();
  let previous = '';
  for (const [word] of text.matchAll(/[\p{L}\p{N}'$%!]+/gu)) {
    features.add(hash(word));
    if (withPairs) features.add(hash(`${previous} ${word}`));
    previous = word;
  }
  return features;
}

function lettersOf(text: string): Set<number> {
  const features = new Set<number>();
  const dense = text.replaceAll(/\s+/g, ' ');
  for (let index = 0; index + 4 <= dense.length; index++) features.add(hash(dense.slice(index, index + 4)));
  return features;
}

/** FNV-1a over UTF-16 units. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let index = 0; index < text.length; index++) value = Math.imul(value ^ text.charCodeAt(index), 0x01000193);
  return ((value ^ (value >>> 15)) >>> 0) % featureCount;
}
