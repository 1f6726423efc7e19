import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { preparedSource, textHash } from '../../../src/config/prepared.js';
import { parseSource, parseYaml } from '../../../src/config/source.js';
import { projectRoot } from '../cli/run.js';

const mistake = (): never => expect.fail('there is a mistake in it');

describe("forge's own YAML", () => {
  it('is what the build has kept of it, whole', async () => {
    const files = (await readdir(path.join(projectRoot, 'playbooks'), { recursive: true })).filter((file) => file.endsWith('.yaml'));
    expect(files.length).toBeGreaterThan(5);
    for (const file of ['packages.yaml', ...files.map((file) => path.join('playbooks', file))]) {
      const text = await readFile(path.join(projectRoot, file), 'utf8');
      expect(await preparedSource(projectRoot, text), `${file}: run \`npm run build\``).toEqual(await parseYaml(text, mistake));
    }
  });

  it('is parsed when it was changed since, and where nothing was built', async () => {
    const root = await mkdtemp(path.join(tmpdir(), 'forge-prepared-'));
    try {
      expect(await preparedSource(path.join(root, 'not-built'), 'a: 1')).toBeUndefined();
      await mkdir(path.join(root, 'dist'));
      const kept = { [textHash('a: 1')]: { value: 'kept', places: {} } };
      await writeFile(path.join(root, 'dist', 'parsed.json'), JSON.stringify(kept));
      const valueOf = async (text: string) => (await parseSource('x.yaml', text, mistake, root))?.value;
      expect([await valueOf('a: 1'), await valueOf('a: 2')]).toEqual(['kept', { a: 2 }]);
    } finally {
      await rm(root, { recursive: true });
    }
  });
});
