/** Bounds the length of foreign text in messages, answers and logs. */

const MOST_NAME_CHARACTERS = 200;
const MOST_MESSAGE_CHARACTERS = 2000;

/** At most 200 characters, truncated with an ellipsis. */
export function boundedName(name: string): string {
  return truncate(name, MOST_NAME_CHARACTERS);
}

/** At most 2,000 characters, truncated with an ellipsis. */
export function boundedMessage(message: string): string {
  return truncate(message, MOST_MESSAGE_CHARACTERS);
}

function truncate(text: string, most: number): string {
  if (text.length <= most) return text;
  // A surrogate pair is never split.
  return `${text.slice(0, most - 1).replace(/[\ud800-\udbff]$/, '')}…`;
}
