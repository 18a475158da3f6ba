# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_imagebuilder_exporter_global_optspecs
    string join \n config.file= aws.region= config.enable-auto-reload shard.index= shard.total= web.listen-address= web.telemetry-path= web.external-url= web.config.file= web.max-requests= web.enable-lifecycle log.level= log.format= h/help V/version
end

function __fish_imagebuilder_exporter_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_imagebuilder_exporter_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_imagebuilder_exporter_using_subcommand
    set -l cmd (__fish_imagebuilder_exporter_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -l config.file -d 'Path of the configuration file' -r -F
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -l aws.region -d 'Poll every pipeline and image of this region, with the default credentials and without a configuration file; can be repeated. A file at the default path is ignored' -r
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -l shard.index -d 'Zero-based index of the shard that this process runs' -r
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -l shard.total -d 'Number of shards, at most 100. Each shard polls a part of the targets and regions; together they poll everything once' -r
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -l web.listen-address -d 'Address to listen on; can be repeated. Port 0 selects a free port, which is logged' -r
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -l web.telemetry-path -d 'Path of the metrics' -r
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -l web.external-url -d 'URL (http or https) of the exporter for absolute links. A reverse proxy must remove the path of this URL from requests' -r
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -l web.config.file -d 'Path of the web configuration file: TLS, passwords and headers, in the format of Prometheus\'s exporter-toolkit' -r -F
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -l web.max-requests -d 'Maximum number of requests at once, except those to /-/healthy and /-/ready; 0 for no limit' -r
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -l log.level -d 'Minimum severity of log lines' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -l log.format -d 'Format of log lines on standard error' -r -f -a "logfmt\t''
json\t''"
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -l config.enable-auto-reload -d 'Reload the configuration file when its content has changed, which is checked every 30 seconds'
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -l web.enable-lifecycle -d 'Enable POST /-/reload'
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -s V -l version -d 'Print version'
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -f -a "check-config" -d 'Check configuration files: report every mistake with its line, and whether the rate limit suffices'
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -f -a "doctor" -d 'Check a configuration against AWS: identity, permissions, expected calls and series'
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -f -a "demo" -d 'Run the exporter with a built-in simulator of Image Builder, without AWS account or network'
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_needs_command" -f -a "simulate" -d 'Run only the simulator, for boto3, the AWS CLI and tests'
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand check-config" -l web.config.file -d 'Web configuration file to check, with the certificates that it names' -r -F
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand check-config" -s h -l help -d 'Print help'
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand doctor" -l config.file -d 'Path of the configuration file' -r -F
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand doctor" -l aws.region -d 'Poll every pipeline and image of this region, with the default credentials and without a configuration file; can be repeated. A file at the default path is ignored' -r
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand doctor" -l log.format -d 'Format of log lines on standard error' -r -f -a "logfmt\t''
json\t''"
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand doctor" -l log.level -d 'Minimum severity of log lines' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand doctor" -s h -l help -d 'Print help'
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand demo" -l web.listen-address -d 'Address to listen on; can be repeated. Port 0 selects a free port, which is logged' -r
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand demo" -l web.telemetry-path -d 'Path of the metrics' -r
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand demo" -l web.external-url -d 'URL (http or https) of the exporter for absolute links. A reverse proxy must remove the path of this URL from requests' -r
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand demo" -l web.config.file -d 'Path of the web configuration file: TLS, passwords and headers, in the format of Prometheus\'s exporter-toolkit' -r -F
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand demo" -l web.max-requests -d 'Maximum number of requests at once, except those to /-/healthy and /-/ready; 0 for no limit' -r
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand demo" -l log.level -d 'Minimum severity of log lines' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand demo" -l log.format -d 'Format of log lines on standard error' -r -f -a "logfmt\t''
json\t''"
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand demo" -l web.enable-lifecycle -d 'Enable POST /-/reload'
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand demo" -s h -l help -d 'Print help'
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand simulate" -l listen-address -d 'Loopback address and port to listen on; port 0 selects a free port' -r
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand simulate" -l scenario -d 'Scenario file of the simulated world; without it, the world of the demo' -r -F
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand simulate" -l speed -d 'Speed of the simulated world, as a multiple of real time' -r
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand simulate" -l seed -d 'Seed of the random values and ids in the scenario' -r
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand simulate" -l log.level -d 'Minimum severity of log lines' -r -f -a "error\t''
warn\t''
info\t''
debug\t''
trace\t''"
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand simulate" -l log.format -d 'Format of log lines on standard error' -r -f -a "logfmt\t''
json\t''"
complete -c imagebuilder_exporter -n "__fish_imagebuilder_exporter_using_subcommand simulate" -s h -l help -d 'Print help'
