module example.com/treenail/clients

go 1.24

require (
	github.com/aws/aws-sdk-go-v2 v1.47.2
	github.com/aws/aws-sdk-go-v2/config v1.33.8
	github.com/aws/aws-sdk-go-v2/credentials v1.20.8
	github.com/aws/aws-sdk-go-v2/service/glue v1.169.0
	google.golang.org/grpc v1.79.3
	google.golang.org/protobuf v1.36.11
)
