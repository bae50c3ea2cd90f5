/** Returns the text with `markOf(name)` as the argument of a call in every function for which `markOf` is defined. */
export function markFunctions(source: string, markOf: (name: string | undefined) => string | undefined): string;
