/**
 * Guesses the intended word. First choice: a word that differs only in case and separators. Second: the smallest edit
 * distance (at most two or a third of the letters, whichever is more; one for up to three letters). Third: one word
 * contains the other.
 */
import { distance } from 'fastest-levenshtein';

const LONGEST_WORD = 128;
const MOST_CANDIDATES = 2000;

const letters = (word: string): string => word.toLowerCase().replace(/[^a-z0-9]/g, '');

export function nearestSpelling(word: string, candidates: Iterable<string>): string | undefined {
  const known = [...candidates];
  if (word.length > LONGEST_WORD || known.length > MOST_CANDIDATES) return undefined;
  const wanted = letters(word);
  const same = known.find((candidate) => letters(candidate) === wanted);
  return same ?? nearestByDistance(wanted, known) ?? known.find((candidate) => overlaps(letters(candidate), wanted));
}

function nearestByDistance(wanted: string, known: readonly string[]): string | undefined {
  let nearest: string | undefined;
  let least = wanted.length <= 3 ? 1.5 : Math.max(2, Math.floor(wanted.length / 3)) + 0.5;
  for (const candidate of known) {
    const edits = distance(wanted, letters(candidate));
    if (edits < least && edits < candidate.length) {
      nearest = candidate;
      least = edits;
    }
  }
  return nearest;
}

function overlaps(candidate: string, wanted: string): boolean {
  return (wanted.length >= 3 && candidate.includes(wanted)) || (candidate.length >= 4 && wanted.includes(candidate));
}
