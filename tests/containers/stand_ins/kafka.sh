#!/bin/sh
# Three commands in one, by the name it is called by: the broker, whose properties are the variables KAFKA_*, and two
# tools.
set -eu
case "$(basename "$0")" in
    kafka-topics.sh) set -- org.apache.kafka.tools.TopicCommand "$@" ;;
    kafka-broker-api-versions.sh) set -- org.apache.kafka.tools.BrokerApiVersionsCommand "$@" ;;
    *)
        properties=/tmp/server.properties
        env | sed -n 's/^KAFKA_//p' | while IFS='=' read -r name value; do
            echo "$(echo "$name" | tr 'A-Z_' 'a-z.')=$value"
        done > $properties
        java -cp '/opt/kafka/libs/*' kafka.tools.StorageTool format --ignore-formatted \
            --cluster-id 5L6g3nShT-eMCtK--X86sw --config $properties
        set -- kafka.Kafka $properties
        ;;
esac
exec java -Xmx512m -cp '/opt/kafka/libs/*' "$@"
