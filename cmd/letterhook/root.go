package main

import (
	"github.com/spf13/cobra"
)

// newRoot makes the command tree. started becomes true when the command line was understood and a command runs: an
// error before that is a wrong use.
func newRoot() (root *cobra.Command, started *bool) {
	started = new(bool)
	root = &cobra.Command{
		Use:           "letterhook",
		Short:         "Mail in, signed webhook out",
		Long:          "Letterhook takes mail for your domains over SMTP, makes it durable, parses it to JSON and posts that to your webhooks,\nsigned and retried for days.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       version(),
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("letterhook {{.Version}}\n")
	root.AddCommand(
		newServeCommand(), newDevCommand(), newCheckCommand(), newHealthCommand(),
		newSendCommand(), newListenCommand(), newVerifyRequestCommand(), newParseCommand(), newProbeCommand(), newSchemaCommand(),
		newMessagesCommand(), newEraseCommand(), newDeliveriesCommand(), newReplayCommand(), newEndpointsCommand(), newReplyAddressCommand(), newKeysCommand(), newMigrateCommand(),
		newContextCommand(), newAccountsCommand(), newDomainsCommand(), newRoutesCommand(), newSuppressionsCommand(), newRefusalsCommand(), newAuditCommand(),
		newUsageCommand(), newNodesCommand(), newWhyCommand(), newTailCommand(), newTopCommand(), newAPICommand(), newManCommand(),
		newFsckCommand(), newCopyCommand(), newBackupCommand(), newLeverCommand(), newBenchCommand(), newHashPasswordCommand(), newVersionCommand(),
	)
	noteStart(root, started)
	return root, started
}

// noteStart makes every command set started when it begins, which is after flags and arguments were checked.
func noteStart(cmd *cobra.Command, started *bool) {
	if run := cmd.RunE; run != nil {
		cmd.RunE = func(cmd *cobra.Command, args []string) error {
			*started = true
			return run(cmd, args)
		}
	}
	for _, child := range cmd.Commands() {
		noteStart(child, started)
	}
}
