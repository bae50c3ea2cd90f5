/** Finds the position of a JSON syntax error (RFC 8259). It is not recursive, so any nesting depth works. */

export interface JsonProblem {
  readonly offset: number;
  readonly expected: string;
}

type Expectation = 'value' | 'value or ]' | 'name' | 'name or }' | 'colon' | 'more';

/** The first problem; undefined for valid JSON. */
export function jsonProblem(text: string): JsonProblem | undefined {
  return new Scan(text).problem();
}

class Scan {
  readonly #text: string;
  readonly #open: ('{' | '[')[] = [];
  #at = 0;
  #next: Expectation = 'value';

  constructor(text: string) {
    this.#text = text;
  }

  problem(): JsonProblem | undefined {
    for (;;) {
      this.#skip(isSpace);
      if (this.#at === this.#text.length && this.#next === 'more' && this.#open.length === 0) return undefined;
      const expected = this.#step(this.#text[this.#at] ?? '');
      if (expected !== undefined) return { offset: this.#at, expected };
    }
  }

  /** Consumes a token. If it is invalid, returns the expected syntax. */
  #step(character: string): string | undefined {
    switch (this.#next) {
      case 'value':
        return this.#value(character) ? undefined : 'a value';
      case 'value or ]':
        return this.#close(character, ']') || this.#value(character) ? undefined : 'a value or ]';
      case 'name':
        return this.#name(character) ? undefined : 'a name in double quotes';
      case 'name or }':
        return this.#close(character, '}') || this.#name(character) ? undefined : 'a name in double quotes or }';
      case 'colon':
        return this.#take(character, ':', 'value') ? undefined : 'a colon';
      case 'more':
        return this.#more(character);
    }
  }

  #more(character: string): string | undefined {
    const innermost = this.#open.at(-1);
    if (innermost === undefined) return 'the end';
    const [closing, following] = innermost === '{' ? (['}', 'name'] as const) : ([']', 'value'] as const);
    return this.#take(character, ',', following) || this.#close(character, closing)
      ? undefined
      : `a comma or ${closing}`;
  }

  #value(character: string): boolean {
    if (character === '{' || character === '[') {
      this.#open.push(character);
      return this.#take(character, character, character === '{' ? 'name or }' : 'value or ]');
    }
    if (character === '"') return this.#string('more');
    const literal = ['true', 'false', 'null'].find((word) => this.#text.startsWith(word, this.#at));
    if (literal === undefined) return this.#number();
    this.#at += literal.length;
    this.#next = 'more';
    return true;
  }

  #name(character: string): boolean {
    return character === '"' && this.#string('colon');
  }

  #close(character: string, closing: string): boolean {
    if (!this.#take(character, closing, 'more')) return false;
    this.#open.pop();
    return true;
  }

  #take(character: string, wanted: string, next: Expectation): boolean {
    if (character !== wanted) return false;
    this.#at += 1;
    this.#next = next;
    return true;
  }

  #string(next: Expectation): boolean {
    this.#at += 1;
    for (let code = this.#code(); code >= 0x20; code = this.#code()) {
      if (code === 0x22) {
        this.#at += 1;
        this.#next = next;
        return true;
      }
      if (code === 0x5c) {
        const escaped = /^\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/.exec(this.#text.slice(this.#at, this.#at + 6));
        if (escaped === null) return false;
        this.#at += escaped[0].length;
      } else this.#at += 1;
    }
    return false;
  }

  #number(): boolean {
    const start = this.#at;
    if (this.#text[this.#at] === '-') this.#at += 1;
    if (!this.#whole()) {
      this.#at = start;
      return false;
    }
    this.#next = 'more';
    return this.#fraction() && this.#exponent();
  }

  #whole(): boolean {
    if (this.#text[this.#at] !== '0') return this.#skip(isDigit);
    this.#at += 1;
    return true;
  }

  #fraction(): boolean {
    if (this.#text[this.#at] !== '.') return true;
    this.#at += 1;
    return this.#skip(isDigit);
  }

  #exponent(): boolean {
    if (this.#text[this.#at]?.toLowerCase() !== 'e') return true;
    this.#at += 1;
    if (this.#text[this.#at] === '+' || this.#text[this.#at] === '-') this.#at += 1;
    return this.#skip(isDigit);
  }

  /** Skips characters; false if there were none. */
  #skip(is: (code: number) => boolean): boolean {
    const start = this.#at;
    while (is(this.#code())) this.#at += 1;
    return this.#at > start;
  }

  /** Code of the next character; −1 at the end. */
  #code(): number {
    return this.#at < this.#text.length ? this.#text.charCodeAt(this.#at) : -1;
  }
}

function isSpace(code: number): boolean {
  return code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09;
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}
