"""An Apache Spark for queries of a few rows: what its compilers gain there, they do not earn back."""

# The JVM's second compiler, and a collector with threads of its own.
JAVA_OPTIONS = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
# No query becomes Java code first. Spark goes that way itself where compiling fails, and both mean the same.
CONF = {"spark.sql.codegen.wholeStage": "false", "spark.sql.codegen.factoryMode": "NO_CODEGEN"}
