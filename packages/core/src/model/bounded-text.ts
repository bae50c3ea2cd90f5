/** Bounds for text that others wrote (names of tensors and stages, words of a stage) before it enters a message, an answer or a log. */

const MOST_NAME_CHARACTERS = 200;
const MOST_MESSAGE_CHARACTERS = 2000;

/** A name as a message quotes it: at most 200 characters, the last one an ellipsis when it is longer. */
export function boundedName(name: string): string {
  return truncate(name, MOST_NAME_CHARACTERS);
}

/** A message of at most 2,000 characters, the last one an ellipsis when it is longer. */
export function boundedMessage(message: string): string {
  return truncate(message, MOST_MESSAGE_CHARACTERS);
}

function truncate(text: string, most: number): string {
  if (text.length <= most) return text;
  // Half a surrogate pair is no character.
  return `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
