import { Args, Flags } from '@oclif/core';
import { ForgeCommand } from '../src/cli/base-command.js';
import { doctorText } from '../src/cli/doctor-text.js';
import { size } from '../src/cli/text.js';
import { createRunRenderer } from '../src/cli/render.js';
import type { DoctorResult } from '../src/cli/schemas.js';
import { GROUPS } from '../src/doctor/check.js';
import type { Finding, Report } from '../src/doctor/examine.js';
import { ExitCode, usageError } from '../src/errors.js';

export default class Doctor extends ForgeCommand<DoctorResult> {
  static override summary = 'Say what is wrong and how to mend it, from this machine to the last table (exit code 5 when something is)';
  static override description =
    'Looks at everything at once and changes nothing. The first finding is the root: mend it, and those after it often go too. docs/troubleshooting.md has a section for each.';
  static override examples = [
    '<%= config.bin %> <%= command.id %>',
    { description: 'Mend what can be mended safely', command: '<%= config.bin %> <%= command.id %> --fix' },
    { description: 'Only what one check found', command: '<%= config.bin %> <%= command.id %> --fix server-down' },
    { description: 'All that helps somebody elsewhere', command: '<%= config.bin %> <%= command.id %> --bundle forge.tar.gz' },
  ];
  static override args = { id: Args.string({ description: 'With --fix: mend only what this check found' }) };
  static override flags = {
    fix: Flags.boolean({ summary: 'Mend what can be mended safely, then look again' }),
    bundle: Flags.string({
      helpValue: 'FILE',
      summary: 'Also write findings, status, settings and logs to an archive (.tar.gz), secrets masked, fit to attach to an issue',
    }),
    only: Flags.option({ options: GROUPS, helpValue: 'GROUP', summary: `Only one group: ${GROUPS.join(', ')}` })(),
  };

  async run(): Promise<DoctorResult> {
    const { args, flags } = await this.parse(Doctor);
    const started = performance.now();
    const { examineStack } = await import('../src/lifecycle/doctor.js');
    const { mend, requireCheck } = await import('../src/lifecycle/mend.js');
    if (args.id !== undefined) requireCheck(args.id);
    if (args.id !== undefined && !flags.fix)
      throw usageError({
        code: 'FIX_NEEDED',
        message: `${args.id} is named, and nothing is said to be done`,
        hint: `Add --fix: forge doctor --fix ${args.id}`,
      });
    const writeBundle = await this.#bundle(flags.workspace, flags.bundle);
    const options = {
      ...this.place(flags.workspace),
      only: flags.only,
      progress: (done: number, all: number) => this.output.live(`Looking: ${done} of ${all} checks`),
    };
    let report = await examineStack(options);
    this.output.liveEnd();
    let fixed: Finding[] = [];
    if (flags.fix) {
      const renderer = await createRunRenderer({ output: this.output, signal: this.signal });
      try {
        const mended = await mend(report, { ...options, id: args.id, onEvent: renderer.onEvent });
        ({ report, fixed } = mended);
        this.failure = mended.error;
      } finally {
        await renderer.finish();
      }
    }
    const result = toResult(report, fixed, (performance.now() - started) / 1000);
    // What went wrong while mending says more than that something is left.
    if (!result.healthy && this.failure === undefined) this.exitCode = ExitCode.finding;
    return { ...result, ...(await writeBundle?.(result)) };
  }

  /** What writes the bundle in the end. A file that cannot be is refused before anything is looked at or mended. */
  async #bundle(folder: string | undefined, file: string | undefined) {
    if (file === undefined) return undefined;
    const { refuseBundle, writeBundle } = await import('../src/lifecycle/bundle.js');
    await refuseBundle(file);
    const { version } = this.config;
    return async (findings: DoctorResult) => ({ bundle: await writeBundle({ ...this.place(folder), file, version, findings }) });
  }

  protected override render(result: DoctorResult): string {
    const { bundle } = result;
    const written =
      bundle === undefined
        ? ''
        : `\n\nWritten to ${bundle.file} (${size(bundle.bytes)}, secrets masked). Look through it before you send it.`;
    return doctorText(result) + written;
  }
}

function toResult({ findings, passed, couldNotRun }: Report, fixed: Finding[], seconds: number): DoctorResult {
  const told = [
    ...findings.map(({ fix, ...finding }) => ({ ...finding, fixable: fix !== undefined })),
    ...fixed.map(({ fix, ...finding }) => ({ ...finding, fixable: fix !== undefined, fixed: true })),
  ];
  return {
    healthy: findings.every(({ severity }) => severity !== 'error'),
    findings: told,
    passed,
    couldNotRun,
    seconds: Math.round(seconds * 1000) / 1000,
  };
}
