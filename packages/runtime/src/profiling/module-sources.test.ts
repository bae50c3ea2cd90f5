import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { moduleSources } from './module-sources.js';

describe('moduleSources', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'equipoise-sources-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const write = (files: Readonly<Record<string, string>>) => {
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, name)), { recursive: true });
      writeFileSync(join(folder, name), text);
    }
  };
  const sourcesOf = (name: string) =>
    [...moduleSources(join(folder, name)).keys()].map((path) => relative(folder, path)).sort();

  it('follows relative imports of scripts, by the names of their compiled forms too', () => {
    write({
      'stage.ts': "import { a } from './a.js';\nexport * from './deep/b';\nimport 'onnxruntime-node';",
      'a.ts': "const lazy = () => import('./deep');",
      'deep/index.ts': "require('./none.js');",
      'deep/b.js': '',
      'unused.ts': '',
    });
    expect(sourcesOf('stage.ts')).toEqual(['a.ts', 'deep/b.js', 'deep/index.ts', 'stage.ts']);
  });

  it.each([
    ['import words', ['words.py']],
    ['import os, words as w  # why', ['words.py']],
    ['    from words import split', ['words.py']],
    ['from words import (\n    split,  # one\n    join,\n)', ['words.py']],
    ['from \\\n  words import split', ['words.py']],
    ['import kit.tools', ['kit/__init__.py', 'kit/tools.py', 'words.py']],
    ['from kit import tools, other', ['kit/__init__.py', 'kit/tools.py', 'words.py']],
    ['from kit import other', ['kit/__init__.py']],
    ['from .words import split', ['words.py']],
    ['from . import words', ['words.py']],
    ['import numpy', []],
    ['text = "import words"', []],
    ['# import words', []],
  ])('follows imports of Python files from beside: %j', (line, expected) => {
    write({
      'stage.py': `def load(variant, resources):\n${line}\n`,
      'words.py': 'import re',
      'kit/__init__.py': '',
      'kit/tools.py': 'from ..words import split\nimport stage',
    });
    expect(sourcesOf('stage.py')).toEqual([...expected, 'stage.py'].sort());
  });
});
